"""What the scripts find in their PATH first."""

import os
import shutil
from pathlib import Path


class Tools:
    """The pinned programs that are named, and stand-ins that a test writes."""

    def __init__(self, base: Path, *real: str):
        self.base, self.folder = base, base / "bin"
        self.folder.mkdir(parents=True)
        for name in real:
            (self.folder / name).symlink_to(shutil.which(name))

    @property
    def environment(self) -> dict[str, str]:
        return {"BIRTHDAY_TOOLS": str(self.folder), "PATH": f"{self.folder}:{os.environ['PATH']}", "DOCKER_CONFIG": str(self.base / "docker")}

    def stand_in(self, name: str, script: str = "") -> None:
        """`script` in sh instead of the program; `calls` tells what it was asked."""
        (self.folder / name).write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>{self.base}/{name}\n{script}\n')
        (self.folder / name).chmod(0o755)

    def calls(self, name: str) -> list[str]:
        log = self.base / name
        return log.read_text().splitlines() if log.exists() else []
