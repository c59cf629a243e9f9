"""PostgreSQL and the service for tests in Python: examples/start.rs starts them, and they end with the `with` block."""

import contextlib
import functools
import json
import os
import random
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
# seconds for a start, enough for a busy machine
PATIENCE = 60


@functools.cache
def built() -> Path:
    """Builds `birthday-api` and `examples/start`, and returns their folder."""
    subprocess.run(["cargo", "build", "--locked", "--quiet", "--bins", "--examples"], cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"


def binary() -> Path:
    """The service to test: BIRTHDAY_API, else what cargo builds."""
    return Path(os.environ.get("BIRTHDAY_API") or built() / "birthday-api").resolve()


class Started:
    def __init__(self, process: subprocess.Popen, said: dict):
        self.process, self.url, self.standby, self.log = process, said["url"], said.get("standby"), Path(said.get("log", "/dev/null"))
        self.port = urlsplit(self.url).port

    def tell(self, command: str) -> None:
        """Sends `stop` or `start` to PostgreSQL, or a time to `clock`; returns when it is done."""
        print(command, file=self.process.stdin, flush=True)
        assert json.loads(self.process.stdout.readline()) == {"done": command}


@contextlib.contextmanager
def started(*words: str | Path, **options) -> Iterator[Started]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([built() / "examples/start", *words], **pipes, **options) as process:
        try:
            line = process.stdout.readline()
            assert line, f"{words[0]} did not start"
            yield Started(process, json.loads(line))
        finally:
            process.stdin.close()
            process.wait(PATIENCE)


def postgres(*settings: str, pair: bool = False, tls: Path | None = None):
    """PostgreSQL 18.1 with `settings` (NAME=VALUE). `tls`: the file to write its CA certificate to."""
    flags = ["--pair"] if pair else ["--tls", tls] if tls else []
    return started("postgres", *flags, *settings)


def service(log: IO | None = None, **settings: str):
    """The service, with SQLite in a folder of its own unless `settings` (ROCKET_*) say otherwise."""
    words = [f"{key}={value}" for key, value in ({"LIFECYCLE": "{drain=0}"} | settings).items()]
    return started("service", *words, stderr=log, env=os.environ | {"BIRTHDAY_API": str(binary())})


def clock(settings: str):
    """The service on a clock that stands still until `tell("2031-01-01T12:00:00Z")`; `settings` as in Rocket.toml."""
    return started("clock", settings)


def databases(url: str, **more: str | bool) -> str:
    """The value of the setting DATABASES."""
    return "{birthdays={" + ",".join(f"{name}={json.dumps(value)}" for name, value in ({"url": url} | more).items()) + "}}"


def migrate(url: str) -> None:
    subprocess.run([binary(), "migrate"], env=environment(DATABASES=databases(url)), cwd=tempfile.gettempdir(), check=True, capture_output=True)


def environment(**settings: str) -> dict[str, str]:
    """The environment for commands of the service, without the caller's own settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ROCKET_")}
    return inherited | {f"ROCKET_{name}": value for name, value in settings.items()}


def free_port() -> int:
    """For servers that cannot choose one themselves. It is below those that the system gives to clients, so that none takes it meanwhile."""
    while True:
        port = random.randrange(30_000, 32_768)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def fetch(url: str, **options) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, **options), timeout=10) as answer:
        return answer.read().decode()


def eventually(what: str, condition: Callable, patience: float = PATIENCE, every: float = 0.1):
    """Returns the first true value of `condition`. Errors of a server that does not listen yet, or of kubectl, count as false."""
    began, last = time.monotonic(), None
    while time.monotonic() - began < patience:
        try:
            if last := condition():
                return last
        except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
            last = error
        time.sleep(every)
    raise AssertionError(f"not within {patience:.0f} s: {what}; last seen: {last!r}"[:2000])


class Loopback:
    """An HTTP server on a free port, in a thread."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]):
        handler.log_message = lambda *_: None
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
