"""A client of the service, and a load that keeps account of every answer."""

import http.client
import itertools
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

BORN = "1990-06-15"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str

    @property
    def is_outage(self) -> bool:
        """503 as a problem that says when to come back."""
        kind, again = self.headers.get("content-type"), self.headers.get("retry-after", "")
        return self.status == 503 and kind == "application/problem+json" and again.isdigit() and json.loads(self.body)["status"] == 503


class Client:
    """A connection for each request, or one for all, made again when the service closed it."""

    def __init__(self, port: int, keep_alive: bool = False):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.keep_alive = keep_alive

    def request(self, method: str, path: str, body: str | None = None, headers: dict | None = None) -> Answer:
        """Raises OSError or HTTPException when there is no whole answer."""
        headers = (headers or {}) | ({"Content-Type": "application/json"} if body else {})
        whole = False
        try:
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            text = response.read().decode()
            whole = True
        finally:
            if not (whole and self.keep_alive):
                self.connection.close()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, text)

    def save(self, name: str, born: str = BORN) -> Answer:
        return self.request("PUT", f"/hello/{name}", json.dumps({"dateOfBirth": born}))

    def find(self, name: str) -> Answer:
        return self.request("GET", f"/hello/{name}")


@dataclass(frozen=True)
class Event:
    """A request of the load; without an answer it has the error."""

    sent: float
    ended: float
    method: str
    name: str
    answer: Answer | None
    error: str = ""
    born: str = BORN

    @property
    def saved(self) -> bool:
        return self.method == "PUT" and self.answer is not None and self.answer.status == 204


@dataclass
class Load:
    """Clients that each save a new name and look it up, over and over, from `with` to the end of the block."""

    port: int
    clients: int = 8
    pause: float = 0.01
    events: list[Event] = field(default_factory=list)

    def __enter__(self):
        self.over, self.pool = threading.Event(), ThreadPoolExecutor(self.clients)
        self.running = [self.pool.submit(self._run, letter) for letter in "abcdefghijkl"[: self.clients]]
        return self

    def __exit__(self, *_):
        self.over.set()
        for client in self.running:
            client.result(30)  # fails if the client did, or hangs

    @property
    def saved(self) -> set[str]:
        return {event.name for event in self.events if event.saved}

    def _run(self, letter: str):
        client = Client(self.port, keep_alive=True)
        for name in names(letter):
            if self._record(client, "PUT", name).saved:
                self._record(client, "GET", name)
            if self.over.wait(self.pause):
                return

    def _record(self, client: Client, method: str, name: str, born: str = BORN) -> Event:
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
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return (prefix + "".join(rest) for rest in itertools.product(letters, repeat=4))
