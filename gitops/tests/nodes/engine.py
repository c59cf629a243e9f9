"""The Docker engine, by its command line."""

import subprocess
import tempfile
from pathlib import Path


def docker(*arguments: str, limit: float = 300, **options) -> str:
    """What it prints, to both outputs."""
    done = subprocess.run(["docker", *arguments], text=True, timeout=limit, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    assert done.returncode == 0, f"docker {' '.join(arguments)}:\n{done.stdout[-4000:]}"
    return done.stdout.strip()


def build(tag: str, dockerfile: str, *files: Path) -> None:
    """An image of these files."""
    with tempfile.TemporaryDirectory() as context:
        for file in files:
            (Path(context) / file.name).write_bytes(file.read_bytes())
            (Path(context) / file.name).chmod(0o755)
        (Path(context) / "Dockerfile").write_text(dockerfile)
        docker("build", "--quiet", "--tag", tag, context)
