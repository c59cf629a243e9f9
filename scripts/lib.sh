# Shared by the delivery scripts: messages, and queries to the image registry. Sourced, not run.
# shellcheck shell=bash
set -euo pipefail
shopt -s inherit_errexit # set -e holds inside $(...) too

scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# the repository of the service; images are built from its commits
service=$(dirname "$scripts")

# arm64 kernels have pages of 4, 16 or 64 KiB, and jemalloc aborts on pages larger than it was built for: 2^16.
# https://github.com/tikv/jemallocator/issues/80
# shellcheck disable=SC2034
arm64_page=16

say() { echo "${0##*/}: $*" >&2; }
die() { say "$@"; exit 1; }

# Prints the header of the script, from the line that begins with "usage".
usage() { sed -n '/^# usage/,/^[^#]/{s/^# \{0,1\}//p}' "$0" >&2; exit 2; }

need_tools() { PATH=$("$service/tools/get" "$@"):$PATH; }

need_repository() {
  [ -n "${IMAGE_REPOSITORY:-}" ] || die "IMAGE_REPOSITORY is not set: it says where images are, for example 111111111111.dkr.ecr.eu-west-1.amazonaws.com/birthday-api"
  IMAGE_REPOSITORY=${IMAGE_REPOSITORY,,} # an owner's name may have capital letters
}

# A tag moves, a digest does not.
need_digest() { [[ $1 =~ ^sha256:[0-9a-f]{64}$ ]] || die "'$1' is not a digest: sha256: and 64 hexadecimal digits"; }

# look COMMAND...: the registry's answer to crane, or nothing if it has no such image. Any other error ends the script.
look() {
  local errors
  errors=$(crane "$@" 2>&1 >&3) && return
  grep -qE 'MANIFEST_UNKNOWN|NAME_UNKNOWN|status code 404' <<<"$errors" || die "$IMAGE_REPOSITORY does not answer: $errors"
} 3>&1

# released COMMIT: the digest of the image that was released from it, or nothing
released() { look digest "$IMAGE_REPOSITORY:$1"; }

# platforms_of DIGEST: the digests of the images behind it, one for each platform; nothing if there is no such image
platforms_of() {
  local manifest
  manifest=$(look manifest "$IMAGE_REPOSITORY@$1")
  # attestations have no platform
  [ -z "$manifest" ] || jq -r --arg itself "$1" 'if .manifests then .manifests[] | select(.platform.os == "linux").digest else $itself end' <<<"$manifest"
}

# revision_of DIGEST: the commit that the image was built from, or nothing if there is no such image
revision_of() {
  local platforms
  platforms=$(platforms_of "$1")
  [ -n "$platforms" ] || return 0
  # all platforms of an image are built from one commit
  crane config "$IMAGE_REPOSITORY@${platforms%%$'\n'*}" | jq -r '.config.Labels["org.opencontainers.image.revision"] // "an unknown commit"'
}

# older COMMIT THAN: whether COMMIT comes before THAN in the history of the service
older() {
  local commit
  for commit; do git -C "$service" rev-parse -q --verify "$commit^{commit}" >/dev/null || die "cannot tell whether $1 is older than $2: this clone lacks $commit"; done
  [ "$1" != "$2" ] && git -C "$service" merge-base --is-ancestor "$1" "$2"
}
