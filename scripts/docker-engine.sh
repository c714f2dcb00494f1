#!/usr/bin/env bash
# A Docker Engine for machines that have none, such as a CI container: installs Debian's docker.io and starts dockerd.
# usage: scripts/docker-engine.sh ensure|stop|status
#   ensure  does nothing where an engine answers; else starts one, detached, on the usual unix socket, and waits for it
#   stop    ends the engine that ensure started, and no other
#   status  says whether an engine answers (exit code 0) or not (1)
set -euo pipefail

run_dir=${DOCKER_ENGINE_RUN_DIR:-/run/docker-engine}
socket=/var/run/docker.sock
start_timeout_s=60
stop_timeout_s=30

main() {
  case "${1:-}" in
    ensure) ensure ;;
    stop) stop ;;
    status) status ;;
    *)
      sed -n '2,6s/^# //p' "$0" >&2
      exit 64
      ;;
  esac
}

ensure() {
  if engine_answers; then
    status
    return
  fi
  refuse_where_it_cannot_start
  mkdir -p "$run_dir"
  exec 9>"$run_dir/lock"
  flock 9 # two test runs at once start one engine
  if ! engine_answers; then
    install_missing
    start
  fi
  status
}

engine_answers() {
  command -v docker >/dev/null && timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

refuse_where_it_cannot_start() {
  [[ $(uname -s) == Linux ]] || refuse "this is $(uname -s), not Linux; start Docker Desktop or another engine"
  [[ $(id -u) == 0 ]] || refuse "only root can start one here; run it with sudo, or start the engine of this machine"
  command -v apt-get >/dev/null || refuse "no apt-get here; install and start an engine by this distribution's own means"
}

refuse() {
  echo "docker-engine: no engine answers and $1" >&2
  exit 2
}

install_missing() {
  local packages=()
  command -v dockerd >/dev/null || packages+=(docker.io)
  command -v docker >/dev/null || packages+=(docker-cli)
  command -v iptables >/dev/null || packages+=(iptables)
  ((${#packages[@]})) || return 0
  # Up to bookworm docker.io brings the client itself, and there is no docker-cli.
  if [[ " ${packages[*]} " == *" docker-cli "* ]] && ! apt-cache show docker-cli >/dev/null 2>&1; then
    packages=("${packages[@]/docker-cli/docker.io}")
  fi
  echo "docker-engine: installing ${packages[*]}"
  apt-get update -qq
  # A package's own service must not start an engine beside the one that is started below.
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -qq -y --no-install-recommends "${packages[@]}" >"$run_dir/apt.log" ||
    refuse "apt-get could not install ${packages[*]}; see $run_dir/apt.log"
}

start() {
  echo "docker-engine: starting dockerd, log in $run_dir/dockerd.log"
  setsid nohup dockerd --host "unix://$socket" --storage-driver overlay2 --pidfile "$run_dir/dockerd.pid" \
    >"$run_dir/dockerd.log" 2>&1 </dev/null 9>&- &
  local started=$! deadline=$((SECONDS + start_timeout_s))
  until engine_answers; do
    if ! kill -0 "$started" 2>/dev/null; then
      tail -n 15 "$run_dir/dockerd.log" >&2
      refuse "dockerd ended while starting; its last lines are above"
    fi
    if ((SECONDS >= deadline)); then
      tail -n 15 "$run_dir/dockerd.log" >&2
      kill "$started"
      refuse "dockerd did not answer within ${start_timeout_s} s; its last lines are above"
    fi
    sleep 0.2
  done
}

stop() {
  local pid
  pid=$(cat "$run_dir/dockerd.pid" 2>/dev/null || true)
  if [[ -z $pid || $(cat "/proc/$pid/comm" 2>/dev/null || true) != dockerd ]]; then
    echo "docker-engine: none was started by this script; nothing to stop"
    return
  fi
  kill "$pid"
  local deadline=$((SECONDS + stop_timeout_s))
  while kill -0 "$pid" 2>/dev/null; do
    if ((SECONDS >= deadline)); then
      echo "docker-engine: dockerd (pid $pid) still runs after ${stop_timeout_s} s; see $run_dir/dockerd.log" >&2
      exit 2
    fi
    sleep 0.2
  done
  echo "docker-engine: stopped"
}

status() {
  if engine_answers; then
    echo "docker-engine: $(docker version --format '{{.Server.Version}}') answers"
  else
    echo "docker-engine: no engine answers; scripts/docker-engine.sh ensure starts one"
    return 1
  fi
}

main "$@"
