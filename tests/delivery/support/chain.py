"""State that a sequence of tests shares, and a log that is printed at once and again at the end."""

import json
import time
from pathlib import Path


class Chain:
    """Values that one test stores for the next, also across processes."""

    def __init__(self, work: Path):
        self.file, self.text, start = work / "handed-on.json", work / "chain", work / "began"
        if not start.exists():  # the first process sets the start time
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
