"""PostgreSQL for the measurements, and the people in the table. A name is "u" and six letters a-p, the row's number in base 16; load.lua
makes the same names."""

from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import psycopg

from common.start import ROOT, postgres

SETTINGS = {
    "fsync": "on",
    "max_connections": "200",
    "shared_buffers": "1GB",
    # Checkpoints and vacuums run between the loads, not during one.
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
}
PEOPLE = """
insert into birthdays
select 'u' || translate(lpad(to_hex(row), 6, '0'), '0123456789abcdef', 'abcdefghijklmnop'), date '1930-01-01' + row % 30000
from generate_series(0, {rows} - 1) row
"""
LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


@contextmanager
def server() -> Iterator["Server"]:
    with postgres(*("=".join(setting) for setting in SETTINGS.items())) as started:
        tree = psutil.Process(started.process.pid).children(recursive=True)
        yield Server(started.url, next(process.pid for process in tree if process.name() == "postgres"))


class Server:
    """`pid` is the server's first process."""

    def __init__(self, url: str, pid: int) -> None:
        # the scheme that asyncpg and psycopg expect
        self._url, self.pid = url.replace("postgres:", "postgresql:", 1), pid

    def url(self, database: str) -> str:
        return self._url.removesuffix("postgres") + database

    def run(self, database: str, *statements: str) -> tuple | None:
        """The row that the last statement returns, if it is a query."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                last = connection.execute(statement)
            return last.fetchone() if last.description else None

    def load(self, database: str, rows: int, people: str = PEOPLE) -> None:
        """Creates a database with the table of the service's own migrations, and fills it with rows."""
        migrations = sorted((ROOT / "migrations/postgres").glob("*.sql"))
        self.run("postgres", f"create database {database}")
        self.run(database, *(file.read_text() for file in migrations), people.format(rows=rows))
        self.tidy(database)

    def tidy(self, database: str) -> None:
        self.run(database, "vacuum analyze birthdays", "checkpoint")


def name_of(row: int) -> str:
    return "u" + f"{row:06x}".translate(LETTERS)
