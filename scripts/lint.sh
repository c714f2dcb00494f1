#!/usr/bin/env bash
# Every linter over everything it knows, or, as `lint.sh workflows`, those of workflows, actions and the image alone; all
# run, and the exit code tells whether any complained.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export PATH="$PWD/.venv/bin:$PATH"

what=${1:-everything}
if [[ $what != everything && $what != workflows ]]; then
  echo "lint: '$what' is not known; give nothing, or workflows" >&2
  exit 2
fi

complaints=()
check() { # name, command
  local name=$1
  shift
  if output=$("$@" 2>&1); then
    printf '  ok    %s\n' "$name"
  else
    printf '  FAIL  %s\n%s\n' "$name" "$output"
    complaints+=("$name")
  fi
}

if [[ $what == everything ]]; then
  check "ruff check" ruff check .
  check "ruff format" ruff format --check .
  check "mypy" mypy
  check "shellcheck" shellcheck --severity=style scripts/*.sh deployment/*/*.sh .ci/run
  check "pre-commit" pre-commit validate-config
fi
check "actionlint" actionlint -no-color
check "zizmor" zizmor --offline --persona=pedantic --no-progress --strict-collection --color=never .
check "workflow schema" check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
check "workflow timeouts" check-jsonschema --builtin-schema custom.github-workflows-require-timeout .github/workflows/*.yml
check "action schema" check-jsonschema --builtin-schema vendor.github-actions .github/actions/*/action.yml
check "dependabot schema" check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
check "issue forms" check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/{bug,emulator,feature}.yml
check "act" act --validate --strict -W .github/workflows/
check "hadolint" hadolint --failure-threshold info service/Dockerfile

if ((${#complaints[@]})); then
  printf 'lint: %s complained\n' "${complaints[*]}" >&2
  exit 1
fi
