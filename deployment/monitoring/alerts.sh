#!/usr/bin/env bash
# Metric alerts of Azure Monitor for a managed online endpoint; docs/observability.md tells what each one means.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: deployment/monitoring/alerts.sh [--action-group ID]... [--p95-ms N] [--dry-run]

Creates, or brings up to date, four metric alerts of the endpoint that the environment names:
AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP, AZUREML_WORKSPACE_NAME and AZUREML_ENDPOINT_NAME. Needs az, logged in, and
the role Monitoring Contributor on the resource group.

  --action-group ID  ARM id of an action group that is told; repeatable. Without one an alert shows in the portal alone.
  --p95-ms N         the 95th percentile of the latency above which NAME-slow fires (default 500)
  --dry-run          print the commands, run none
  --help             show this text

Example: deployment/monitoring/alerts.sh --p95-ms 200 --dry-run
TEXT
}

fail() {
  printf 'alerts: %s\n' "$1" >&2
  exit 2
}

actions=()
p95_ms=500
dry_run=false
while (($#)); do
  case $1 in
    --action-group)
      [[ ${2:-} ]] || fail "--action-group: no id follows; give the ARM id of an action group"
      actions+=(--action "$2")
      shift
      ;;
    --p95-ms)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "--p95-ms: not a whole number of milliseconds ('${2:-}'); give one above 0"
      p95_ms=$2
      shift
      ;;
    --dry-run) dry_run=true ;;
    --help)
      usage
      exit
      ;;
    *) fail "unknown argument '$1'; --help shows what there is" ;;
  esac
  shift
done

for name in AZURE_SUBSCRIPTION_ID AZURE_RESOURCE_GROUP AZUREML_WORKSPACE_NAME AZUREML_ENDPOINT_NAME; do
  [[ ${!name:-} ]] || fail "$name is not set; export it"
done
group="/subscriptions/$AZURE_SUBSCRIPTION_ID/resourceGroups/$AZURE_RESOURCE_GROUP"
workspace="$group/providers/Microsoft.MachineLearningServices/workspaces/$AZUREML_WORKSPACE_NAME"
endpoint="$workspace/onlineEndpoints/$AZUREML_ENDPOINT_NAME"

# What creates an alert replaces the one of its name.
alert() {
  local suffix=$1 severity=$2 condition=$3 description=$4
  local command=(
    az monitor metrics alert create --only-show-errors --output none
    --subscription "$AZURE_SUBSCRIPTION_ID" --resource-group "$AZURE_RESOURCE_GROUP"
    --name "$AZUREML_ENDPOINT_NAME-$suffix" --scopes "$endpoint"
    --condition "$condition" --description "$description"
    --severity "$severity" --window-size 5m --evaluation-frequency 1m
  )
  ((${#actions[@]})) && command+=("${actions[@]}")
  if $dry_run; then
    printf '%q ' "${command[@]}"
    printf '\n'
  else
    "${command[@]}"
    printf 'alert %s-%s: %s\n' "$AZUREML_ENDPOINT_NAME" "$suffix" "$condition"
  fi
}

alert failing 1 "avg RequestsPerMinute > 0 where statusCodeClass includes 5xx" \
  "The platform answers requests with 5xx."
alert model-errors 1 "avg RequestsPerMinute > 0 where statusCode includes 424" \
  "The container answers with anything but 200; modelStatusCode and the traffic log tell with what."
alert overloaded 2 "avg RequestsPerMinute > 0 where statusCode includes 429" \
  "More requests in parallel than the instances may have; see max_concurrent_requests_per_instance."
alert slow 2 "avg RequestLatency_P95 > $p95_ms" \
  "The 95th percentile of the latency is above $p95_ms ms."
