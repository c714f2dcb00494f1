"""Every control-plane call of a release, struck by every fault: what serves, what is left, and who repairs it."""
