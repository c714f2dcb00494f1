#!/usr/bin/env bash
# Makes .venv exactly what requirements/dev.txt locks; fetches uv into .uv first where none is on PATH.
# LOCKS="deployment load" takes those locks instead: all that a job needs which releases, and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/.locked-by
locks=()
for name in ${LOCKS:-dev}; do
  locks+=("requirements/$name.txt")
done
wanted=$(cat "${locks[@]}" | sha256sum | cut -d' ' -f1)
if [[ -x .venv/bin/python && -f $stamp && $(<"$stamp") == "$wanted" ]]; then
  exit 0
fi

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; then
  echo "environment: $("$python" --version 2>&1) is not 3.11 to 3.13; name another with PYTHON=/path/to/python make ..." >&2
  exit 2
fi

if command -v uv >/dev/null; then
  uv=uv
else
  uv=.uv/bin/uv
  if [[ ! -x $uv ]]; then
    echo "environment: no uv on PATH; installing it into .uv"
    "$python" -m venv .uv
    .uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
  fi
fi

echo "environment: installing $(cat "${locks[@]}" | grep -oE '^[a-z0-9._-]+(\[.*\])?==' | sort -u | wc -l) locked packages into .venv"
"$uv" venv --quiet --clear --python "$python" .venv
# Where Python may not keep what it compiles, each of many processes would compile all of it again.
if [[ -n ${PYTHONDONTWRITEBYTECODE:-} ]]; then
  export UV_COMPILE_BYTECODE=1
fi
"$uv" pip sync --quiet --require-hashes --python .venv/bin/python "${locks[@]}"
echo "$wanted" >"$stamp"
