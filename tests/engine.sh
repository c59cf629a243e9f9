# shellcheck shell=bash
# A Docker engine for tests: the one that is running, or one that is started for the test. Sourced, not run.
#   engine_up IMAGE...   gets the IMAGEs from ../shared/docker/images, if it exists: stand-ins for base images that cannot be pulled
#   engine_down          stops the engine if engine_up started it
engine_folder=${SHARED:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/../shared}/docker
engine_started=''

engine_answers() { timeout 20 docker info >/dev/null 2>&1; } # a missing engine is not an error

engine_up() {
  if ! engine_answers; then
    [ -x "$engine_folder/up" ] || { echo "no Docker engine answers: start one" >&2; return 1; }
    engine_started=${DOCKER_HOME:-$HOME/.cache/birthday-docker}/dockerd.pid
    timeout --foreground 600 "$engine_folder/up" >&2
  fi
  [ -x "$engine_folder/images" ] || return 0
  # It lists the images, but exits with 1 if one that is not needed is missing.
  local images
  images=$(timeout --foreground 1200 "$engine_folder/images" "$@") || [ -n "$images" ]
  echo "$images" >&2
}

engine_down() {
  [ -n "$engine_started" ] && [ -f "$engine_started" ] || return 0
  kill "$(cat "$engine_started")"
  timeout 60 tail --pid="$(cat "$engine_started")" -f /dev/null
}
