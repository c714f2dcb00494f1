#!/usr/bin/env bash
# Puts Debian's prometheus and promtool into a folder, for machines that have none: nothing is installed or started.
# usage: scripts/prometheus.sh FOLDER
set -euo pipefail

[[ $# == 1 ]] || { sed -n '2,3s/^# //p' "$0" >&2; exit 64; }
command -v apt-get >/dev/null || { echo "prometheus: no apt-get here; install it by this system's own means" >&2; exit 2; }
mkdir -p "$1"
cd "$1"
# Where the lists of packages are missing or old, once more with new ones, which root alone may fetch.
apt-get download -qq -o APT::Sandbox::User=root prometheus ||
  { apt-get update -qq && apt-get download -qq -o APT::Sandbox::User=root prometheus; }
dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x --strip-components=3 ./usr/bin/prometheus ./usr/bin/promtool
rm prometheus_*.deb
