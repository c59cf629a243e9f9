"""The Docker engine, by its command line."""

import tempfile
from pathlib import Path

from common.engine import docker


def build(tag: str, dockerfile: str, *files: Path) -> None:
    """An image of these files."""
    with tempfile.TemporaryDirectory() as context:
        for file in files:
            (Path(context) / file.name).write_bytes(file.read_bytes())
            (Path(context) / file.name).chmod(0o755)
        (Path(context) / "Dockerfile").write_text(dockerfile)
        docker("build", "--quiet", "--tag", tag, context)
