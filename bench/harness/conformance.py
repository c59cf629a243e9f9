"""Every system must do the same work as the service before it is measured: answers, refusals and the leap day."""

import json
from datetime import UTC, datetime, timedelta

from common.load import Client

NAME = "Conformance"


def requests() -> list[tuple[str, str, object]]:
    """Method, name and body."""
    today = datetime.now(UTC).date()
    birthdays = [(today + timedelta(days)).replace(year=2000) for days in (0, 1, 5, 200)]
    found: list[tuple[str, str, object]] = [("GET", "Unknown", None)]
    # the last one is counted to 1 March in a common year
    for born in (*birthdays, "2000-02-29"):
        found += [("PUT", NAME, {"dateOfBirth": str(born)}), ("GET", NAME, None)]
    for name in ("a1", "a%20b", "%C3%A9", "x" * 65):
        found += [("GET", name, None), ("PUT", name, {"dateOfBirth": "2000-01-02"})]
    dates = (today, today + timedelta(1), "2000-02-30", "2000-1-2", "0000-01-01", "+2000-01-1", "2000-01-02T00:00:00Z")
    bodies = [{"dateOfBirth": str(born)} for born in dates] + [{}, {"dateOfBirth": 5}, {"dateOfBirth": "2000-01-02", "more": 1}, [1]]
    return found + [("PUT", NAME, body) for body in bodies]


def answers(port: int) -> list[tuple[int, object]]:
    """The statuses, and the bodies of 200 answers."""
    client, found = Client(port), []
    for method, name, body in requests():
        content = body if body is None else json.dumps(body)
        answer = client.request(method, f"/hello/{name}", content, {"Content-Type": "application/json"} if content else None)
        # FastAPI answers 422, as its documentation says
        found.append((400 if answer.status == 422 else answer.status, json.loads(answer.body) if answer.status == 200 else None))
    return found


def check(port: int, wanted: list[tuple[int, object]]) -> None:
    for request, answer, right in zip(requests(), answers(port), wanted, strict=True):
        if answer != right:
            raise SystemExit(f"{request}: answers {answer}, the service {right}")
