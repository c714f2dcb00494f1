"""Four complete models, one of each kind; `make new-model` begins with a copy of one."""
