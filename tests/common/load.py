"""A client of the service, and a steady load that records every answer."""

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date

BORN = "1990-06-15"
GOOD = {"PUT": 204, "GET": 200}
DAYS = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str

    @property
    def is_outage(self) -> bool:
        """A 503 problem document with Retry-After."""
        kind, again = self.headers.get("content-type"), self.headers.get("retry-after", "")
        return self.status == 503 and kind == "application/problem+json" and again.isdigit() and json.loads(self.body)["status"] == 503


class Client:
    """One connection, reopened after a failure, or a new one for each request. `to` is a local port or a connection."""

    def __init__(self, to: int | http.client.HTTPConnection, keep_alive: bool = True, headers: dict[str, str] | None = None):
        self.connection = http.client.HTTPConnection("127.0.0.1", to, timeout=10) if isinstance(to, int) else to
        self.keep_alive, self.headers = keep_alive, headers or {}

    def request(self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Raises OSError or HTTPException if there is no complete answer."""
        whole = False
        try:
            self.connection.request(method, path, body, self.headers | (headers or {}))
            response = self.connection.getresponse()
            text = response.read().decode(errors="replace")
            whole = True
        finally:
            if not (whole and self.keep_alive):
                self.connection.close()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, text)

    def save(self, name: str, born: str = BORN) -> Answer:
        return self.request("PUT", f"/hello/{name}", json.dumps({"dateOfBirth": born}), {"Content-Type": "application/json"})

    def find(self, name: str) -> Answer:
        return self.request("GET", f"/hello/{name}")


@dataclass(frozen=True)
class Event:
    """A request of the load, with its answer or the error."""

    sent: float
    ended: float
    method: str
    name: str
    answer: Answer | None
    error: str = ""
    born: str = ""

    @property
    def saved(self) -> bool:
        return self.method == "PUT" and not self.failed

    @property
    def failed(self) -> bool:
        return self.answer is None or self.answer.status != GOOD[self.method]

    @property
    def how(self) -> str:
        return f"{self.method} {f'{self.answer.status} {self.answer.body[:60]!r}' if self.answer else self.error}"


@dataclass
class Load:
    """Each client saves and looks up a new name, so that a lost save stays visible, and then one of twenty recurring names. Every
    save has its own date, later than all before it, so the date that is read back identifies the save."""

    client: Callable[[], Client]
    clients: int = 6
    pause: float = 0.1
    events: list[Event] = field(default_factory=list)

    def __enter__(self):
        self.over, pool = threading.Event(), ThreadPoolExecutor(self.clients)
        # no two loads share names
        prefix = "".join(chr(ord("a") + int(digit)) for digit in str(time.time_ns())[5:14])
        self.running = [pool.submit(self._run, prefix + letter) for letter in "klmnopqrst"[: self.clients]]
        return self

    def __exit__(self, *_):
        self.over.set()
        for client in self.running:
            client.result(30)  # raises if the client failed or hangs

    @property
    def saved(self) -> set[str]:
        return {event.name for event in self.events if event.saved}

    @property
    def failures(self) -> list[str]:
        began = self.events[0].sent
        return [f"+{event.sent - began:.1f} s, {event.ended - event.sent:.1f} s long: {event.how}" for event in self.events if event.failed]

    def _run(self, prefix: str) -> None:
        client, new, saved = self.client(), names(prefix), set()
        known = itertools.cycle(list(itertools.islice(new, 20)))
        for name in itertools.chain.from_iterable(zip(new, known)):
            if self._record(client, "PUT", name, date.fromordinal(next(DAYS)).isoformat()).saved:
                saved.add(name)
            if name in saved:
                self._record(client, "GET", name)
            if self.over.wait(self.pause):
                return

    def _record(self, client: Client, method: str, name: str, born: str = "") -> Event:
        sent = time.time()
        try:
            answer, error = (client.save(name, born) if method == "PUT" else client.find(name)), ""
        except (OSError, http.client.HTTPException) as failure:
            answer, error = None, repr(failure)
        event = Event(sent, time.time(), method, name, answer, error, born)
        self.events.append(event)
        return event


def names(prefix: str) -> Iterator[str]:
    """prefixAAAA, prefixAAAB, ..."""
    return (prefix + "".join(rest) for rest in itertools.product("ABCDEFGHIJKLMNOPQRSTUVWXYZ", repeat=4))


def lost(events: list[Event], kept: dict[str, str]) -> list[str]:
    """Names whose stored date is neither the last acknowledged one nor one that was sent after it."""
    tried: dict[str, list[Event]] = {}
    for event in events:
        if event.method == "PUT":
            tried.setdefault(event.name, []).append(event)
    found = []
    for name, saves in tried.items():
        last = max((i for i, event in enumerate(saves) if event.saved), default=None)
        if last is not None and kept.get(name) not in {event.born for event in saves[last:]}:
            found.append(f"{name}: acknowledged {saves[last].born}, kept {kept.get(name)}")
    return found


def summary(events: list[Event]) -> str:
    """A table row: requests, saves, slowest request, longest time without a save, answers from the replica, failures."""
    saves = sorted(e.ended for e in events if e.saved)
    began = [min(e.sent for e in events)] if events else []
    pause = max((b - a for a, b in zip(began + saves, saves)), default=0.0)
    failures = Counter(f"{e.method} {e.answer.status if e.answer else e.error}" for e in events if e.failed)
    by_replica = sum(1 for e in events if e.answer and "birthday-source" in e.answer.headers)
    slowest = max((e.ended - e.sent for e in events), default=0.0)
    what = ", ".join(f"{count} {how}" for how, count in failures.items()) or "none"
    return f"{len(events):6d} {len(saves):6d} {slowest:9.2f} {pause:9.2f} {by_replica:8d}  {what}"
