"""The Docker engine, by its command line."""

import subprocess


def docker(*arguments: str, limit: float = 300, **options) -> str:
    """What it prints, to both outputs."""
    done = subprocess.run(["docker", *arguments], text=True, timeout=limit, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    assert done.returncode == 0, f"docker {' '.join(arguments)}:\n{done.stdout[-4000:]}"
    return done.stdout.strip()
