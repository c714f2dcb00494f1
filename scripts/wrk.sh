#!/usr/bin/env bash
# wrk, which makes the benchmarks' requests: from Debian's or Ubuntu's packages where it is missing and we are root.
set -euo pipefail

if command -v wrk >/dev/null; then
  exit 0
fi
if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
  echo "wrk: not on PATH; install it: on Debian or Ubuntu 'apt-get install wrk' as root, on Fedora 'dnf install wrk'" >&2
  exit 2
fi
echo "wrk: not on PATH; installing Debian's package"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends wrk >/dev/null
