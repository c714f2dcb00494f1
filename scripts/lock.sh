#!/usr/bin/env bash
# Writes requirements/<group>.txt for each group of pyproject.toml: hashed, for Python 3.11 to 3.13, without addresses.
# The dev lock is made first and constrains the others, so a version is the same wherever it is installed.
# Arguments are handed to uv: `scripts/lock.sh --upgrade`, `scripts/lock.sh --upgrade-package fastapi`.
set -euo pipefail
cd "$(dirname "$0")/.."

compile() { # group, further arguments
  local group=$1
  shift
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    --group "$group" --output-file "requirements/$group.txt" "$@"
  echo "requirements/$group.txt: $(grep -cE '^[a-z0-9._-]+(\[.*\])?==' "requirements/$group.txt") packages"
}

compile dev "$@"
for group in service frames model load deployment uv; do
  compile "$group" --constraints requirements/dev.txt
done
