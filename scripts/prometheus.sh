#!/usr/bin/env bash
# Puts Debian's prometheus and promtool into a folder, for machines that have none: nothing is installed or started.
# usage: scripts/prometheus.sh FOLDER     ends with 69 where the package exists, or may, and apt-get cannot fetch it
set -euo pipefail

[[ $# == 1 ]] || { sed -n '2,3s/^# //p' "$0" >&2; exit 64; }
command -v apt-get >/dev/null || { echo "prometheus: no apt-get here; install it by this system's own means" >&2; exit 2; }
mkdir -p "$1"
cd "$1"

fetch() { apt-get download -qq -o APT::Sandbox::User=root -o Acquire::http::Timeout=20 prometheus; }
cannot_fetch() { echo "prometheus: apt-get cannot fetch it, see above; try again later" >&2; exit 69; }

# Where the lists of packages are missing or old, once more with new ones, which root alone may fetch.
if ! fetch; then
  apt-get update -qq -o APT::Update::Error-Mode=any -o Acquire::http::Timeout=20 || cannot_fetch
  apt-cache show prometheus >/dev/null || { echo "prometheus: apt knows no such package" >&2; exit 2; }
  fetch || cannot_fetch
fi
dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x --strip-components=3 ./usr/bin/prometheus ./usr/bin/promtool
rm prometheus_*.deb
