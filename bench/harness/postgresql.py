"""PostgreSQL 18.1 with a data directory of its own, as it is measured."""

from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import psycopg

from common.start import ROOT, postgres

from . import rows

SETTINGS = {
    "fsync": "on",
    "max_connections": "200",
    "shared_buffers": "1GB",
    # Checkpoints and vacuums come between the runs, not in the midst of one.
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
}


@contextmanager
def server() -> Iterator["Server"]:
    with postgres(*("=".join(setting) for setting in SETTINGS.items())) as started:
        tree = psutil.Process(started.process.pid).children(recursive=True)
        yield Server(started.url, next(process.pid for process in tree if process.name() == "postgres"))


class Server:
    """`pid` is the server's first process."""

    def __init__(self, url: str, pid: int) -> None:
        self._url, self.pid = url, pid

    def url(self, database: str) -> str:
        return self._url.removesuffix("postgres") + database

    def run(self, database: str, *statements: str) -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def load(self, database: str, number: int) -> None:
        """A new database with the table of the service's own migrations and `number` rows in it."""
        migrations = sorted((ROOT / "migrations/postgres").glob("*.sql"))
        self.run("postgres", f"create database {database}")
        self.run(database, *(file.read_text() for file in migrations), rows.for_postgresql(number))
        self.tidy(database)

    def tidy(self, database: str) -> None:
        self.run(database, "vacuum analyze birthdays", "checkpoint")
