"""The folder that comes first in the scripts' PATH."""

import os
import shutil
from pathlib import Path


class Tools:
    """The pinned programs in `real`, and stand-ins that a test writes."""

    def __init__(self, base: Path, *real: str):
        self.base, self.folder = base, base / "bin"
        self.folder.mkdir(parents=True)
        for name in real:
            (self.folder / name).symlink_to(shutil.which(name))

    @property
    def environment(self) -> dict[str, str]:
        return {"BIRTHDAY_TOOLS": str(self.folder), "PATH": f"{self.folder}:{os.environ['PATH']}", "DOCKER_CONFIG": str(self.base / "docker")}

    def stand_in(self, name: str, script: str = "") -> None:
        """Replaces the program with a shell script; `calls` returns the arguments of each call."""
        (self.folder / name).write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>{self.base}/{name}\n{script}\n')
        (self.folder / name).chmod(0o755)

    def calls(self, name: str) -> list[str]:
        log = self.base / name
        return log.read_text().splitlines() if log.exists() else []
