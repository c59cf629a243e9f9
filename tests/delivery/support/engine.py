"""The Docker engine, by its command line."""

import subprocess

# docker buildx, as far as it is used: `build` pushes nothing and reports $BUILT, `imagetools create` is crane's index
DOCKER = r"""
case "$1 $2 $3" in
  "buildx build "*)
    while [ $# -gt 0 ]; do [ "$1" != --metadata-file ] || printf '{"containerimage.digest": "%s"}' "$BUILT" >"$2"; shift; done ;;
  "buildx imagetools create") tag=$5; shift 5; for image; do set -- "$@" --manifest "$image"; shift; done; crane index append --tag "$tag" "$@" ;;
esac
"""


def docker(*arguments: str, limit: float = 300, **options) -> str:
    """What it prints, to both outputs."""
    done = subprocess.run(["docker", *arguments], text=True, timeout=limit, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    assert done.returncode == 0, f"docker {' '.join(arguments)}:\n{done.stdout[-4000:]}"
    return done.stdout.strip()
