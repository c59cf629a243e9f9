"""PostgreSQL 18.1 with a data directory of its own, on a free port."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

from . import rows

VERSION = "18.1.0"
NOBODY = 65534  # PostgreSQL refuses to run as root
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "1GB",
    # Checkpoints and vacuums come between the runs, not in the midst of one. fsync and synchronous_commit stay on.
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
}


def binaries(root: Path) -> Path:
    """The directory of initdb and postgres. The API tests fetch them where they are missing."""
    home = Path(tempfile.gettempdir(), f"birthday-api-postgresql-{VERSION}-{os.getuid()}")
    if not home.exists():
        subprocess.run(["cargo", "test", "--locked", "--test", "api", "the_server_is_postgresql_18_1"], cwd=root, check=True)
    if home.stat().st_uid != os.getuid():
        raise RuntimeError(f"{home} belongs to another user")
    return home / "bin"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """Runs inside `with`; stopped and removed at its end."""

    def __init__(self, root: Path) -> None:
        self._binaries, self._root = binaries(root), root
        self._password = secrets.token_hex(16)
        self._as = ["setpriv", "--pdeathsig", "QUIT"]
        if os.getuid() == 0:
            self._as += ["--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]

    def __enter__(self) -> "Server":
        self.port = free_port()
        self._directory = Path(tempfile.mkdtemp(prefix="birthday-bench-postgresql-"))
        password = self._directory / "password"
        password.write_text(self._password)
        if os.getuid() == 0:
            for path in (password, self._directory):
                os.chown(path, NOBODY, NOBODY)
        data = str(self._directory / "data")
        initdb = [self._binaries / "initdb", "-D", data, "--pwfile", password, "--username=postgres", "--auth=scram-sha-256"]
        subprocess.run(
            [*self._as, *initdb, "--encoding=UTF8", "--locale=C"], check=True, stdout=subprocess.DEVNULL, cwd=self._directory
        )
        settings = [word for setting in SETTINGS.items() for word in ("-c", "=".join(setting))]
        self._log = open(self._directory / "log", "wb")
        command = [*self._as, self._binaries / "postgres", "-D", data, "-p", str(self.port), *settings]
        self.process = subprocess.Popen(command, stderr=self._log, cwd=self._directory)
        for _ in range(300):
            try:
                self.run("postgres", "select 1")
                return self
            except psycopg.OperationalError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        self.__exit__()
        raise RuntimeError("PostgreSQL did not start")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._log.close()
        shutil.rmtree(self._directory)

    @property
    def pid(self) -> int:
        return self.process.pid

    def url(self, database: str) -> str:
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self.port}/{database}"

    def run(self, database: str, *statements: str) -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def load(self, database: str, number: int) -> None:
        """A new database with the table of the service's own migrations and `number` rows in it."""
        migrations = sorted((self._root / "migrations/postgres").glob("*.sql"))
        self.run("postgres", f"create database {database}")
        self.run(database, *(file.read_text() for file in migrations), rows.for_postgresql(number))
        self.tidy(database)

    def tidy(self, database: str) -> None:
        self.run(database, "vacuum analyze birthdays", "checkpoint")
