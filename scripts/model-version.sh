#!/usr/bin/env bash
# Prints what a model is called: the last commit that changed what it is trained from, and -edited where git does not
# have all of that. `make model` calls it with TRAINED_FROM.
set -euo pipefail

fail() {
  printf 'version: %s\n' "$1" >&2
  exit 2
}

name_it="name the model yourself: make model VERSION=..."
(($#)) || fail "no path is given; name what the model is trained from, as in the Makefile's TRAINED_FROM"
for path in "$@"; do
  [[ -e $path ]] || fail "TRAINED_FROM: there is no '$path'"
done
command -v git >/dev/null || fail "there is no git on PATH to ask for the last commit; $name_it"
git rev-parse --git-dir >/dev/null || fail "$PWD is no git repository that can be read; $name_it"
commit=$(git log -1 --format=%H -- "$@") || fail "git has no commit here yet; commit, or $name_it"
[[ -n $commit ]] || fail "no commit has any of $*; commit it, or $name_it"

shallow=$(git rev-parse --git-path shallow)
if [[ -f $shallow ]] && grep -qx "$commit" "$shallow"; then
  echo "version: the clone is shallow, so that ${commit:0:12} is the oldest commit here and perhaps not the one that" \
    "changed the model; git fetch --unshallow gets the others (in a workflow: fetch-depth: 0)" >&2
fi

edited=$(git status --porcelain --untracked-files=normal -- "$@")
echo "${commit:0:12}${edited:+-edited}"
