"""A chain of tests, each a link. What was seen is printed, and kept for the end."""

import json
import time
from pathlib import Path


class Chain:
    """What the links of the chain handed on, from one test to the next and from one process to the other."""

    def __init__(self, work: Path):
        self.file, self.text, start = work / "handed-on.json", work / "chain", work / "began"
        if not start.exists():  # the first process of a chain sets its beginning
            start.touch()
        self.began = start.stat().st_mtime

    def __getitem__(self, name: str) -> str:
        return json.loads(self.file.read_text())[name]

    def __setitem__(self, name: str, value: str) -> None:
        kept = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.file.write_text(json.dumps(kept | {name: value}))

    def saw(self, what: str) -> None:
        line = f"{time.time() - self.began:5.0f} s  {what}"
        print(f"\n{line}", flush=True)
        with self.text.open("a") as text:
            text.write(line + "\n")
