"""The systems under test: built, started as process trees, timed to their first answer, and ended."""

import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from common.start import ROOT, fetch, free_port

from .database import name_of

BENCH = ROOT / "bench"
PEERS = BENCH / "peers"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "birthday-api/bench"
PATIENCE = 30.0  # seconds until a system must have answered


@dataclass(frozen=True)
class System:
    name: str
    title: str
    command: tuple[str, ...]
    store: str = "PostgreSQL"

    def start(self, url: str, directory: Path):
        port = free_port()
        environment = {"PORT": str(port), "DATABASE_URL": url}
        if self.name.startswith("birthday-api"):
            # as delivered, except that it stops without the drain for a load balancer
            environment = {"ROCKET_PORT": str(port), "ROCKET_DATABASES__BIRTHDAYS__URL": url, "ROCKET_LIFECYCLE__DRAIN": "0"}
        return running(self.command, environment, port, directory / f"{self.name}.log", f"/hello/{name_of(0)}")


BIN = CACHE / "bin"
SERVICE = System("birthday-api", "**this service** on PostgreSQL", (f"{BIN}/birthday-api",))
SQLITE = System("birthday-api-sqlite", "**this service** on SQLite", SERVICE.command, "SQLite")
PIPELINED = System("actix-tokio-postgres", "actix-web + tokio-postgres, one connection per worker", (f"{BIN}/actix-tokio-postgres",))
# Deployed as in uvicorn's documentation, with its fast loop and parser, and without an access log.
UVICORN = "exec uvicorn fastapi_asyncpg:app --app-dir {} --workers 2 --loop uvloop --http httptools --no-access-log --log-level warning --port $PORT"
FASTAPI = System("fastapi-asyncpg", "FastAPI + asyncpg (2 workers)", ("sh", "-c", UVICORN.format(shlex.quote(str(PEERS)))))
SYSTEMS = [SERVICE, SQLITE, PIPELINED, FASTAPI]


def build() -> None:
    """Release builds from the lock files, in a folder where no other build replaces them."""
    # as the image is built
    options = ["--features", "jemalloc", "--bin", "birthday-api", "--", "-C", "link-arg=-Wl,-z,pack-relative-relocs"]
    built = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/birthday-api"
    peers = ["--path", PEERS, "--root", CACHE, "--target-dir", CACHE / "target", "--force"]
    BIN.mkdir(parents=True, exist_ok=True)
    for command, folder in (
        (["cargo", "rustc", "--release", "--locked", "--quiet", *options], ROOT),
        # a new file: the old one may still be running
        (["cp", "--remove-destination", built, BIN], ROOT),
        (["cargo", "install", "--locked", "--quiet", *peers], PEERS),
    ):
        subprocess.run(command, cwd=folder, check=True)


class Running:
    """A started system."""

    def __init__(self, process: subprocess.Popen, port: int, start_seconds: float) -> None:
        self.pid, self.port, self.start_seconds = process.pid, port, start_seconds

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def megabytes(self) -> float:
        process = psutil.Process(self.pid)
        return sum(member.memory_info().rss for member in (process, *process.children(recursive=True))) / 1e6


@contextmanager
def running(command: tuple[str, ...] | list[str], environment: dict[str, str], port: int, log: Path, probe: str) -> Iterator[Running]:
    """Starts a system and waits until it answers `probe` with 200; ends the whole tree afterwards."""
    with open(log, "ab") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],
            env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=log.parent,
        )  # fmt: skip
    try:
        while not answers(f"http://127.0.0.1:{port}{probe}"):
            if process.poll() is not None or time.perf_counter() - began > PATIENCE:
                raise RuntimeError(f"{command[0]} does not answer:\n{log.read_text()[-2000:]}")
            time.sleep(0.0005)
        yield Running(process, port, time.perf_counter() - began)
    finally:
        # terminates the first process, which ends its own children; kills what is left after that
        tree = [top := psutil.Process(process.pid), *top.children(recursive=True)] if process.poll() is None else []
        process.terminate()
        for left in psutil.wait_procs(tree, 10)[1]:
            left.kill()


def answers(url: str) -> bool:
    try:
        return bool(fetch(url))
    except OSError:
        return False
