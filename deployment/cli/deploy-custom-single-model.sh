#!/usr/bin/env bash
# Deploys the model to a managed online endpoint with plain `az ml`, from the endpoint.yml and deployment.yml of the
# release.
#
# This way has NO LOAD TEST, NO GATE AND NO WAY BACK: one right answer is all that it asks of a candidate before that
# has all traffic. For production there is `python -m deployment promote`; docs/ways.md compares the two.
set -euo pipefail

# Edit these, or set them in the environment. Paths are those from the repository's root.
SUBSCRIPTION=${SUBSCRIPTION:-${AZURE_SUBSCRIPTION_ID:-}} # empty: the one that az is set to
RESOURCE_GROUP=${RESOURCE_GROUP:-${AZURE_RESOURCE_GROUP:-}}
WORKSPACE=${WORKSPACE:-${AZUREML_WORKSPACE_NAME:-}}
ENDPOINT_FILE=${ENDPOINT_FILE:-deployment/endpoint.yml}
DEPLOYMENT_FILE=${DEPLOYMENT_FILE:-deployment/deployment.yml}
ENDPOINT_NAME=${ENDPOINT_NAME:-${AZUREML_ENDPOINT_NAME:-}} # empty: the name in ENDPOINT_FILE
DEPLOYMENT_NAME=${DEPLOYMENT_NAME:-}                       # empty: blue or green, whichever does not serve
MODEL_DIR=${MODEL_DIR:-artifacts/model}                    # a trained model's folder, with its golden requests
IMAGE=${IMAGE:-}                                           # an image with that model, by digest; empty: it is built
ACR_LOGIN_SERVER=${ACR_LOGIN_SERVER:-}                     # where it is pushed then, as myregistry.azurecr.io
RUNTIME=${RUNTIME:-containers}                             # processes: a bundle, for an emulator without containers

usage() {
  cat <<'HELP'
Usage: deployment/cli/deploy-custom-single-model.sh [--delete [--yes]]

Builds the image, pushes it, and deploys it with `az ml` from deployment/endpoint.yml and deployment/deployment.yml. The
first deployment of a new endpoint gets all traffic; a further one is asked one golden request at 0 %, and gets all
traffic if it answers right. There is no load test, no gate and no way back: for production, python -m deployment
promote (docs/ways.md).

  --delete  delete the endpoint with all its deployments; az asks first
  --yes     with --delete: do not ask
  --help    this text

Variables, at the top of the script or in the environment:
  RESOURCE_GROUP    of the workspace (AZURE_RESOURCE_GROUP)
  WORKSPACE         the Azure ML workspace (AZUREML_WORKSPACE_NAME)
  SUBSCRIPTION      (AZURE_SUBSCRIPTION_ID, or the one that az is set to)
  ENDPOINT_FILE     what the endpoint is (deployment/endpoint.yml)
  DEPLOYMENT_FILE   what a deployment is (deployment/deployment.yml)
  ENDPOINT_NAME     (AZUREML_ENDPOINT_NAME, or the name in ENDPOINT_FILE)
  DEPLOYMENT_NAME   (blue or green, whichever does not serve)
  MODEL_DIR         a trained model's folder (artifacts/model)
  ACR_LOGIN_SERVER  the registry that the image is pushed to, as myregistry.azurecr.io
  IMAGE             deploy this one, by digest, and build none
  RUNTIME           processes: a bundle in place of an image, for an emulator that runs no containers
Building takes the variables of deployment/sdk/build_byoc_image.sh too.

Exit codes: 2 something is missing, or a release is under way; 13 the candidate answered wrongly; 14 it did not become
ready; another one is az's own.

Example: RESOURCE_GROUP=ml WORKSPACE=models ACR_LOGIN_SERVER=myregistry.azurecr.io \
           deployment/cli/deploy-custom-single-model.sh
HELP
}

say() {
  echo "deploy: $1" >&2
}

fail() { # message, exit code
  say "$1"
  exit "${2:-2}"
}

# Writes what az says of the endpoint to $folder/endpoint.json; returns 1 where there is none.
look() {
  local code=0
  az ml online-endpoint show --name "$ENDPOINT_NAME" "${where[@]}" --output json \
    >"$folder/endpoint.json" 2>"$folder/complaint" || code=$?
  ((code != 3)) || return 1 # what az's show commands end with where there is nothing of that name
  if ((code != 0)); then
    cat "$folder/complaint" >&2
    exit "$code"
  fi
}

# Prints which deployment has all traffic, nothing where none has any. Refuses with 2 what a release would be harmed by.
who_serves() { # deploy or delete
  .venv/bin/python - "$1" "$folder/endpoint.json" <<'PYTHON'
import json
import sys

from deployment.hold import refuse_if_held
from deployment.outcomes import BadInputError
from deployment.platform import Endpoint
from deployment.record import read_record, utc_now


def shares(traffic):
    return {name: int(percent) for name, percent in (traffic or {}).items() if int(percent) > 0}


with open(sys.argv[2], encoding="utf-8") as file:
    shown = json.load(file)
traffic, mirror = shares(shown.get("traffic")), shares(shown.get("mirror_traffic"))
endpoint = Endpoint(shown["name"], "", traffic, mirror, {}, shown.get("tags") or {})
try:
    release = read_record(endpoint.tags)
    if release is not None and release.in_flight:
        raise BadInputError(
            f"endpoint {endpoint.name}: release {release.release_id} is under way ({release.phase}, held by "
            f"{release.holder}); nothing is touched. `python -m deployment resume` goes on with it, `abort` ends it"
        )
    if sys.argv[1] == "deploy":
        refuse_if_held(release, "", endpoint, utc_now())
except BadInputError as error:
    print(f"deploy: {error}", file=sys.stderr)
    sys.exit(2)
print(*endpoint.traffic)
PYTHON
}

# Writes the model's first golden request to $folder/request.json, and prints the model's version.
write_request() {
  .venv/bin/python - "$MODEL_DIR" "$folder/request.json" <<'PYTHON'
import json
import sys
from pathlib import Path

from deployment.golden import read_artefacts
from deployment.outcomes import BadInputError

try:
    model = read_artefacts(Path(sys.argv[1]))
except BadInputError as error:
    print(f"deploy: {error}", file=sys.stderr)
    sys.exit(2)
Path(sys.argv[2]).write_text(json.dumps(model.golden.requests[0].body), encoding="utf-8")
print(model.version)
PYTHON
}

# Asks a deployment that request, and compares the answer with what the model answered in training.
ask() { # deployment
  az ml online-endpoint invoke --name "$ENDPOINT_NAME" --deployment-name "$1" --request-file "$folder/request.json" \
    "${where[@]}" --output json >"$folder/answer.json" || return
  .venv/bin/python - "$MODEL_DIR" "$folder/answer.json" <<'PYTHON'
import json
import sys
from pathlib import Path

from deployment.golden import read_artefacts
from deployment.scoring import Answer

golden = read_artefacts(Path(sys.argv[1])).golden
# A string to az: the text that was answered.
text = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
try:
    mismatch = golden.mismatch(golden.requests[0], Answer(200, "", json.loads(text), ""))
except ValueError:
    mismatch = f"{text[:80]!r}, which is no JSON"
if mismatch is not None:
    print(f"deploy: golden request {golden.requests[0].id} got {mismatch}", file=sys.stderr)
    sys.exit(1)
PYTHON
}

exists() { # deployment
  local code=0
  az ml online-deployment show --name "$1" --endpoint-name "$ENDPOINT_NAME" "${where[@]}" --output none \
    2>"$folder/complaint" || code=$?
  ((code != 3)) || return 1
  if ((code != 0)); then
    cat "$folder/complaint" >&2
    exit "$code"
  fi
}

show_log() { # deployment
  az ml online-deployment get-logs --name "$1" --endpoint-name "$ENDPOINT_NAME" --lines 20 "${where[@]}" >&2 || true
}

delete_endpoint() {
  look || fail "endpoint $ENDPOINT_NAME: it does not exist, so there is nothing to delete"
  who_serves delete >/dev/null
  az ml online-endpoint delete --name "$ENDPOINT_NAME" "${where[@]}" ${yes:+"$yes"}
  say "endpoint $ENDPOINT_NAME is deleted, with its deployments"
}

# Makes the candidate from deployment.yml, in the place of what is there under its name.
create_candidate() { # further options
  if exists "$candidate"; then
    say "$candidate has no traffic; it is deleted and made anew"
    az ml online-deployment delete --name "$candidate" --endpoint-name "$ENDPOINT_NAME" --yes "${where[@]}"
  fi
  say "deploying $IMAGE as $candidate"
  if ! az ml online-deployment create --file "$DEPLOYMENT_FILE" --name "$candidate" \
    --endpoint-name "$ENDPOINT_NAME" "$@" "${where[@]}" --output none \
    --set environment.image="$IMAGE" tags.image="$IMAGE" tags.model_version="$version"; then
    show_log "$candidate"
    fail "$candidate did not become ready; $still" 14
  fi
}

# Sets $live to who has all traffic, and $there to whether the endpoint is there; refuses as who_serves does.
observe() {
  live="" there=false
  if look; then
    there=true
    live=$(who_serves deploy)
  fi
  [[ -z $DEPLOYMENT_NAME || $DEPLOYMENT_NAME != "$live" ]] ||
    fail "DEPLOYMENT_NAME: $DEPLOYMENT_NAME serves; name another, or leave it empty"
}

deploy() {
  local live there candidate still served version
  version=$(write_request)
  observe
  if [[ -z $IMAGE ]]; then
    export DEPLOYMENT_FILE MODEL_DIR ACR_LOGIN_SERVER RUNTIME
    IMAGE=$(deployment/sdk/build_byoc_image.sh ${push:+"$push"} | tail -n 1)
    observe # a release may have begun while the image was built
  fi
  served=$live
  candidate=${DEPLOYMENT_NAME:-$([[ $live == blue ]] && echo green || echo blue)}
  still=${live:+$live keeps all traffic}
  still=${still:-nobody has traffic}

  if ! $there; then
    say "creating endpoint $ENDPOINT_NAME"
    az ml online-endpoint create --file "$ENDPOINT_FILE" --name "$ENDPOINT_NAME" "${where[@]}" --output none
    create_candidate --all-traffic
    ask "$candidate" || fail_asked "the endpoint is new, so it has all traffic; --delete takes the endpoint down"
  else
    create_candidate
    ask "$candidate" || fail_asked "$still, and $candidate stays at 0 % until the next deployment"
    observe
    [[ $live == "$served" ]] ||
      fail "endpoint $ENDPOINT_NAME: all traffic was ${served:-nobody}'s and is ${live:-nobody}'s; $candidate gets none"
    say "$candidate answers right; giving it all traffic"
    az ml online-endpoint update --name "$ENDPOINT_NAME" --traffic "$candidate=100" "${where[@]}" --output none
  fi
  show_log "$candidate"
  say "$candidate has all traffic of $ENDPOINT_NAME${served:+; $served stays, without any}"
}

fail_asked() { # what that leaves
  show_log "$candidate"
  fail "$candidate did not answer its golden request right; $1" 13
}

delete=false yes=""
for argument in "$@"; do
  case $argument in
    --delete) delete=true ;;
    --yes) yes=--yes ;;
    --help | -h)
      usage
      exit 0
      ;;
    *) fail "'$argument' is not known; --help tells what is" ;;
  esac
done
[[ -z $yes ]] || $delete || fail "--yes: it belongs to --delete; nothing else asks"

[[ -n $RESOURCE_GROUP ]] || fail "RESOURCE_GROUP: not set; name the workspace's resource group"
[[ -n $WORKSPACE ]] || fail "WORKSPACE: not set; name the Azure ML workspace"
push=--push
[[ $RUNTIME == containers ]] || push=""
$delete || [[ -n $IMAGE || -z $push || -n $ACR_LOGIN_SERVER ]] ||
  fail "ACR_LOGIN_SERVER: not set; name the registry to push to, as myregistry.azurecr.io, or an IMAGE that is there"
[[ -z $IMAGE || $IMAGE == *@sha256:* ]] || fail "IMAGE: $IMAGE is no digest; name it as registry/name@sha256:..."
command -v az >/dev/null ||
  fail "az: not found; install the Azure CLI and its extension ('az extension add --name ml'), and log in by 'az login'"

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[[ -x .venv/bin/python ]] || fail ".venv/bin/python: not there; any make target makes it, as does make model"
for file in "$ENDPOINT_FILE" "$DEPLOYMENT_FILE"; do
  [[ -r $file ]] || fail "$file: it cannot be read"
done
ENDPOINT_NAME=${ENDPOINT_NAME:-$(sed -n 's/^name: *\([^ #]*\).*/\1/p' "$ENDPOINT_FILE")}
[[ -n $ENDPOINT_NAME ]] || fail "ENDPOINT_NAME: not set, and $ENDPOINT_FILE has no name: either"
where=(--resource-group "$RESOURCE_GROUP" --workspace-name "$WORKSPACE")
if [[ -n $SUBSCRIPTION ]]; then
  where+=(--subscription "$SUBSCRIPTION")
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

az account show ${SUBSCRIPTION:+--subscription "$SUBSCRIPTION"} --output none ||
  fail "az: it is not logged in${SUBSCRIPTION:+ to subscription $SUBSCRIPTION}; run 'az login'"
az ml workspace show --name "$WORKSPACE" --resource-group "$RESOURCE_GROUP" \
  ${SUBSCRIPTION:+--subscription "$SUBSCRIPTION"} --output none ||
  fail "workspace $WORKSPACE: az does not find it in $RESOURCE_GROUP; correct WORKSPACE, RESOURCE_GROUP or SUBSCRIPTION"
if $delete; then
  delete_endpoint
else
  deploy
fi
