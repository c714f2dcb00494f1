#!/usr/bin/env bash
# Builds the image of the service with a model in it (service/Dockerfile), tags it for your registry and, with --push,
# sends it there. The last line that it prints is the reference to deploy, by digest.
set -euo pipefail

# Edit these, or set them in the environment. Paths are those from the repository's root.
MODEL_DIR=${MODEL_DIR:-artifacts/model}       # a trained model's folder; `make model` writes this one
ACR_LOGIN_SERVER=${ACR_LOGIN_SERVER:-}        # your registry, as myregistry.azurecr.io; --push needs it
DEPLOYMENT_FILE=${DEPLOYMENT_FILE:-deployment/deployment.yml} # its environment.name is what the image is called
IMAGE_NAME=${IMAGE_NAME:-}                    # and there; empty: the same
IMAGE_TAG=${IMAGE_TAG:-}                      # and its tag; empty: the commit
RUNTIME=${RUNTIME:-containers}                # processes: a bundle, for an emulator that runs no containers
BUNDLES_DIR=${BUNDLES_DIR:-.emulator/bundles} # where bundles are

usage() {
  cat <<'HELP'
Usage: deployment/sdk/build_byoc_image.sh [--push]

Builds the image of the service with a model in it. Its last line is the reference to deploy, name@sha256:...

  --push   log Docker in to the registry (az acr login) and push the image there
  --help   this text

Variables, at the top of the script or in the environment:
  MODEL_DIR         a trained model's folder (artifacts/model)
  ACR_LOGIN_SERVER  the registry, as myregistry.azurecr.io
  DEPLOYMENT_FILE   its environment.name is what the image is called (deployment/deployment.yml)
  IMAGE_NAME        what it is called there, if not the same
  IMAGE_TAG         its tag there (the commit)
  RUNTIME           containers, or processes: a bundle for an emulator that runs no containers (containers)
  BUNDLES_DIR       where bundles are (.emulator/bundles)
  BASE_IMAGE        another base image than service/Dockerfile's

Example: ACR_LOGIN_SERVER=myregistry.azurecr.io deployment/sdk/build_byoc_image.sh --push
HELP
}

fail() { # message
  echo "build: $1" >&2
  exit 2
}

push=false
case ${1:-} in
  "") ;;
  --push) push=true ;;
  --help | -h)
    usage
    exit 0
    ;;
  *) fail "'$1' is not known; --help tells what is" ;;
esac
(($# <= 1)) || fail "'$2' is not known; --help tells what is"

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[[ -x .venv/bin/python ]] || fail ".venv/bin/python: not there; any make target makes it, as does make model"
case $RUNTIME in
  containers) ;;
  processes) ! $push || fail "RUNTIME=processes: a bundle is no image, so there is nothing to push; leave out --push" ;;
  *) fail "RUNTIME: '$RUNTIME' is neither containers nor processes" ;;
esac
if $push; then
  [[ -n $ACR_LOGIN_SERVER ]] || fail "ACR_LOGIN_SERVER: not set; name the registry to push to, as myregistry.azurecr.io"
  command -v az >/dev/null || fail "az: not found; install the Azure CLI, and log in by 'az login' (on the emulator: no --push, and ACR_LOGIN_SERVER unset)"
fi

built=$(.venv/bin/python -m deployment build --model-dir "$MODEL_DIR" --runtime "$RUNTIME" --bundles "$BUNDLES_DIR" \
  --deployment-file "$DEPLOYMENT_FILE")
if [[ $RUNTIME == processes || -z $ACR_LOGIN_SERVER ]]; then
  echo "$built"
  exit 0
fi

# The image's own digest is its id here; the registry gives what is pushed there another one.
name=$ACR_LOGIN_SERVER/${IMAGE_NAME:-${built%@*}}
tag=${IMAGE_TAG:-$(git rev-parse --short=12 HEAD)}
docker tag "${built#*@}" "$name:$tag"
if ! $push; then
  echo "$built is tagged $name:$tag, and not pushed" >&2
  echo "$built"
  exit 0
fi

az acr login --name "${ACR_LOGIN_SERVER%.azurecr.*}" >&2
pushed=$(docker push "$name:$tag" | tee /dev/stderr)
digest=$(sed -n 's/.*digest: \(sha256:[0-9a-f]\{64\}\).*/\1/p' <<<"$pushed" | tail -n 1)
[[ -n $digest ]] || fail "docker push: it named no digest of $name:$tag; look at what it printed above"
echo "$name@$digest"
