"""The people in the table. A name is "u" and six letters a-p, the row's number in base 16; load.lua makes the same names."""

import sqlite3
from datetime import date, timedelta
from pathlib import Path

FIRST_DATE, DATES = date(1930, 1, 1), 30_000
POSTGRESQL = """
insert into birthdays
select 'u' || translate(lpad(to_hex(row), 6, '0'), '0123456789abcdef', 'abcdefghijklmnop'), date '{first}' + row % {dates}
from generate_series(0, {rows} - 1) row
"""
LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


def name_of(row: int) -> str:
    return "u" + f"{row:06x}".translate(LETTERS)


def for_postgresql(rows: int) -> str:
    return POSTGRESQL.format(first=FIRST_DATE, dates=DATES, rows=rows)


def into_sqlite(file: Path, rows: int) -> None:
    people = ((name_of(row), str(FIRST_DATE + timedelta(row % DATES))) for row in range(rows))
    with sqlite3.connect(file) as connection:
        connection.executemany("insert into birthdays values (?, ?)", people)
    connection.close()
