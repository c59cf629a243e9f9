"""The service and its databases as processes that end with the block that started them."""

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from lib.queries import ROOT

BINARY = os.environ.get("BIRTHDAY_API", "")
# `cargo test` fetches it; the README of tests/api says how.
POSTGRESQL = Path(tempfile.gettempdir(), f"birthday-api-postgresql-18.1.0-{os.getuid()}")
NOBODY = 65534
# seconds for a start, on a machine that does other things too
PATIENCE = 60


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def eventually(what: str, condition, patience: float = PATIENCE):
    """The first true value of `condition`. Errors of a server that does not listen yet count as false."""
    began, last = time.monotonic(), None
    while time.monotonic() - began < patience:
        try:
            if value := condition():
                return value
        except OSError as error:
            last = error
        time.sleep(0.2)
    raise AssertionError(f"not within {patience} s: {what} ({last})")


@contextlib.contextmanager
def process(command: list, ending: int = signal.SIGKILL, **options):
    with subprocess.Popen([str(part) for part in command], **options) as running:
        try:
            yield running
        finally:
            running.send_signal(ending)


def environment(**settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ROCKET_")}
    return inherited | {f"ROCKET_{name}": value for name, value in settings.items()}


@contextlib.contextmanager
def service(folder: Path, databases: str | None = None):
    """Its address. Logs of every request go to `folder`/log as JSON; without `databases` it keeps what it is told in SQLite."""
    settings = {"PORT": str(free_port()), "TELEMETRY": '{format="json",access_log=true}', "LIFECYCLE": "{drain=0}"}
    if databases:
        settings["DATABASES"] = databases
        subprocess.run([BINARY, "migrate", "--wait", str(PATIENCE)], env=environment(**settings), cwd=folder, check=True, capture_output=True)
    address = f"http://127.0.0.1:{settings['PORT']}"
    with open(folder / "log", "wb") as log, process([BINARY], env=environment(**settings), cwd=folder, stderr=log, stdout=log) as running:
        eventually("the service is ready", lambda: running.poll() is None and fetch(f"{address}/readyz"))
        yield address


class PostgreSql:
    """A server that can be stopped and started again on the same port and data."""

    def __init__(self, folder: Path, password: str, *settings: str):
        self.folder, self.password, self.port, self.settings = folder, password, free_port(), settings
        self.running = None

    @classmethod
    def new(cls, folder: Path) -> "PostgreSql":
        if not POSTGRESQL.exists():
            test = ["cargo", "test", "--locked", "--quiet", "--test", "api", "--", "--exact", "support::archive::the_server_is_postgresql_18_1"]
            subprocess.run(test, cwd=ROOT, check=True)
        server = cls(folder, secrets.token_hex(16))
        folder.mkdir()
        (folder / "password").write_text(server.password)
        server.give_away()
        initdb = [POSTGRESQL / "bin/initdb", "-D", folder / "data", "--username=postgres", f"--pwfile={folder}/password"]
        subprocess.run([*initdb, "--auth=scram-sha-256", "--no-sync"], check=True, capture_output=True, cwd=folder, **server.user)
        return server

    def standby(self, folder: Path) -> "PostgreSql":
        """One that follows this server, which has to be stopped."""
        shutil.copytree(self.folder / "data", folder / "data")
        (folder / "data/standby.signal").touch()
        source = f"host=127.0.0.1 port={self.port} user=postgres password={self.password}"
        server = PostgreSql(folder, self.password, "-c", f"primary_conninfo={source}")
        server.give_away()
        return server

    @property
    def user(self) -> dict:
        """PostgreSQL refuses to run as root."""
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}

    def give_away(self):
        self.folder.chmod(0o700)
        if self.user:
            for path in [self.folder, *self.folder.rglob("*")]:
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

    def __enter__(self):
        command = [POSTGRESQL / "bin/postgres", "-D", self.folder / "data", "-p", self.port, "-c", "listen_addresses=127.0.0.1"]
        command += ["-c", "unix_socket_directories=", "-c", "fsync=off", *self.settings]
        with open(self.folder / "log", "ab") as log:
            self.running = subprocess.Popen([str(part) for part in command], cwd=self.folder, stdout=log, stderr=log, **self.user)
        return self

    def __exit__(self, *_):
        if self.running:
            self.running.send_signal(signal.SIGQUIT)
            self.running.wait(PATIENCE)
            self.running = None

    def stop(self):
        """As for a restart: sessions are ended and everything is written."""
        self.running.send_signal(signal.SIGINT)
        self.running.wait(PATIENCE)
        self.running = None

    @property
    def url(self) -> str:
        return f"postgres://postgres:{self.password}@127.0.0.1:{self.port}/postgres"


def databases(primary: PostgreSql, replica: PostgreSql | None = None) -> str:
    """The setting of that name."""
    second = f",replica_url={json.dumps(replica.url)}" if replica else ""
    return f"{{birthdays={{url={json.dumps(primary.url)}{second}}}}}"


def access_log(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log").read_text().splitlines() if re.match(r"\{", line)]
