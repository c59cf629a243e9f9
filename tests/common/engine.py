"""Runs commands of the Docker CLI."""

import subprocess


def docker(*arguments: str, check: bool = True, limit: float = 300, **options) -> str:
    """Returns its stdout and stderr."""
    done = subprocess.run(["docker", *arguments], text=True, timeout=limit, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    assert not (check and done.returncode), f"docker {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout[-4000:]}"
    return done.stdout.strip()
