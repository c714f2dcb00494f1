#!/usr/bin/env bash
# Makes byoc-base:trixie, a base image for service/Dockerfile, where its public one cannot be pulled: Debian trixie with
# its own Python, by debootstrap, from the mirror that this machine's apt uses (or $DEBIAN_MIRROR).
set -euo pipefail

image=byoc-base:trixie
release=trixie
packages=python3,python3-venv,ca-certificates

if docker image inspect "$image" >/dev/null 2>&1; then
  echo "base-image: $image exists"
  exit 0
fi

public=$(sed -n 's/^ARG BASE_IMAGE=//p' "$(dirname "$0")/../service/Dockerfile")
if timeout 300 docker pull --quiet "$public" >/dev/null 2>&1; then
  echo "base-image: $public can be pulled; there is nothing to make"
  exit 0
fi

refuse() {
  echo "base-image: $1" >&2
  exit 2
}

[[ $(id -u) == 0 ]] || refuse "only root can run debootstrap; run it with sudo, or set BASE_IMAGE to an image with Python"

if ! command -v debootstrap >/dev/null; then
  command -v apt-get >/dev/null || refuse "no debootstrap and no apt-get here; set BASE_IMAGE to an image with Python"
  echo "base-image: installing debootstrap"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends debootstrap >/dev/null
fi

mirror=${DEBIAN_MIRROR:-}
if [[ -z $mirror ]]; then
  # shellcheck disable=SC2016 # apt-get expands it, not this shell
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 'Component: main' |
    sed -n 1p)
fi
[[ -n $mirror ]] || refuse "apt knows no Debian mirror here; name one with DEBIAN_MIRROR"

root=$(mktemp -d)
log=$(mktemp)
trap 'rm -rf --one-file-system "$root" "$log"' EXIT

echo "base-image: making $image (about a minute)"
if ! debootstrap --variant=minbase --include="$packages" "$release" "$root" "$mirror" >"$log" 2>&1; then
  tail -n 15 "$log" >&2
  refuse "debootstrap failed; its last lines are above"
fi
# Downloaded packages and lists are of no use in an image; documentation neither.
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/usr/share/doc/* "$root"/usr/share/man/*
tar --create --numeric-owner --one-file-system --directory "$root" . |
  docker import --change 'ENV LANG=C.UTF-8' --change 'CMD ["python3"]' - "$image" >/dev/null
echo "base-image: made $image"
