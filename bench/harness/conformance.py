"""Every system must do the same work before it is measured: answers, refusals and the leap day."""

import http.client
import json
from datetime import UTC, date, datetime, timedelta

REFUSED = (400, 422)  # 422 is what FastAPI's documentation has it answer


class Unlike(Exception):
    """A system answers other than the service."""


def check(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        for problem in problems(connection):
            raise Unlike(problem)
    finally:
        connection.close()


def exchange(connection: http.client.HTTPConnection, method: str, name: str, body: object = None) -> tuple[int, bytes]:
    content = None if body is None else json.dumps(body)
    connection.request(method, f"/hello/{name}", content, {"Content-Type": "application/json"} if content else {})
    answer = connection.getresponse()
    return answer.status, answer.read()


def problems(connection: http.client.HTTPConnection):
    """What is wrong, in words; nothing when all is well."""
    today = datetime.now(UTC).date()
    for days in (0, 1, 5, 200):
        born = (today + timedelta(days)).replace(year=2000)
        yield from compare(exchange(connection, "PUT", "Conformance", {"dateOfBirth": born.isoformat()}), 204, b"")
        wait = until(today, born)
        message = "Happy birthday!" if wait == 0 else f"Your birthday is in {wait} day(s)"
        status, body = exchange(connection, "GET", "Conformance")
        if status != 200 or json.loads(body) != {"message": f"Hello, Conformance! {message}"}:
            yield f"GET after {born}: {status} {body!r}"
    if exchange(connection, "GET", "Nobody")[0] != 404:
        yield "an unknown name is not 404"
    for name in ("a1", "a%20b", "%C3%A9", "x" * 65):
        for answer in (exchange(connection, "GET", name), exchange(connection, "PUT", name, {"dateOfBirth": "2000-01-02"})):
            if answer[0] not in REFUSED:
                yield f"the name {name} is not refused: {answer}"
    tomorrow = today + timedelta(1)
    for text in (today.isoformat(), tomorrow.isoformat(), "2000-02-30", "2000-1-2", "0000-01-01", "+2000-01-1", "2000-01-02T00:00:00Z"):
        answer = exchange(connection, "PUT", "Conformance", {"dateOfBirth": text})
        if answer[0] not in REFUSED:
            yield f"the date {text} is not refused: {answer}"
    for body in ({}, {"dateOfBirth": 5}, {"dateOfBirth": "2000-01-02", "more": 1}, [1]):
        answer = exchange(connection, "PUT", "Conformance", body)
        if answer[0] not in REFUSED:
            yield f"the body {body} is not refused: {answer}"


def compare(answer: tuple[int, bytes], status: int, body: bytes):
    if answer != (status, body):
        yield f"{answer} instead of {(status, body)}"


def until(today: date, born: date) -> int:
    for wait in range(367):
        day = today + timedelta(wait)
        leap = born.month == 2 and born.day == 29
        here = (3, 1) if leap and not is_leap(day.year) else (born.month, born.day)
        if (day.month, day.day) == here:
            return wait
    raise AssertionError("a birthday comes every year")


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
