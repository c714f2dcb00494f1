#!/usr/bin/env bash
# Known vulnerabilities in what requirements/*.txt lock; ends with 1 where one is known, or a package was not looked up.
# Further options go to pip-audit: AUDIT_ARGS="--ignore-vuln ID"; its own variables work too, so
# PIP_AUDIT_VULNERABILITY_SERVICE=osv PIP_AUDIT_OSV_URL=http://... asks another service.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

locks=()
for lock in requirements/*.txt; do
  locks+=(-r "$lock")
done
read -ra further <<<"${AUDIT_ARGS:-}"

# Without --strict, a dependency that could not be looked up would pass unseen.
code=0
.venv/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off --format json \
  --output "$folder/found.json" ${further[@]+"${further[@]}"} "${locks[@]}" || code=$?

if [[ ! -s $folder/found.json ]]; then
  echo "audit: pip-audit ended with code $code and looked nothing up; what it says is above" >&2
  exit 1
fi
.venv/bin/python - "$folder/found.json" <<'PYTHON'
import json
import sys
from pathlib import Path

packages = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["dependencies"]
known = [(each, vulnerability) for each in packages for vulnerability in each.get("vulns", [])]
for each, vulnerability in known:
    mended = ", ".join(vulnerability["fix_versions"]) or "no version"
    print(f"{each['name']} {each['version']}: {vulnerability['id']}, mended in {mended}: {vulnerability['description'][:200]}")
print(f"audit: {len(packages)} packages of this platform and Python looked up; known vulnerabilities: {len(known)}")
PYTHON
exit "$code"
