"""Requests to the service as users send them, whose names and dates nobody may ever find in a log."""

import http.client
import itertools
import json
import random
import threading
from datetime import date, timedelta

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TRACE = "00-{:032x}-{:016x}-01"


class People:
    """Names and dates of birth that occur nowhere else."""

    def __init__(self, count: int):
        chance = random.Random(1)
        self.born = {
            "Zq" + "".join(chance.choices(LETTERS, k=10)): (date(1931, 1, 1) + timedelta(days=chance.randrange(30000))).isoformat()
            for _ in range(count)
        }
        self.unknown = "Xj" + "".join(chance.choices(LETTERS, k=10))


class Load:
    """Clients that look up, save, and ask for what is not there, from `with` to the end of the block."""

    def __init__(self, address: str, people: People, clients: int = 3, pause: float = 0.05):
        self.host, self.people, self.clients, self.pause = address.removeprefix("http://"), people, clients, pause
        self.statuses: list[int] = []
        self.traces: set[str] = set()

    def save_all(self):
        """Everybody is known."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        for name in self.people.born:
            assert self.ask(connection, "PUT", name) == 204

    def ask(self, connection: http.client.HTTPConnection, method: str, name: str, suffix: str = "", trace: int = 0) -> int:
        headers = {"Content-Type": "application/json", "x-request-id": f"load-{trace}"}
        if trace:
            headers["traceparent"] = TRACE.format(trace, trace)
        body = json.dumps({"dateOfBirth": self.people.born[name]}) if method == "PUT" else None
        connection.request(method, f"/hello/{name}{suffix}", body, headers)
        answer = connection.getresponse()
        answer.read()
        self.statuses.append(answer.status)
        return answer.status

    def __enter__(self):
        self.over = threading.Event()
        self.failures: list[BaseException] = []
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(1, self.clients + 1)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(30)
        assert not self.failures, self.failures

    def run(self, number: int):
        connection, chance = http.client.HTTPConnection(self.host, timeout=30), random.Random(number)
        names = list(self.people.born)
        try:
            for step in itertools.count(1):
                name, trace = chance.choice(names), number * 10**6 + step
                match step % 5:
                    case 0:
                        self.ask(connection, "GET", self.people.unknown)
                    case 1:
                        self.ask(connection, "PUT", name)
                    case 2:
                        self.ask(connection, "GET", name, "/birthday.ics")
                    case _:
                        self.ask(connection, "GET", name, trace=trace)
                        self.traces.add(f"{trace:032x}")
                if self.over.wait(self.pause):
                    return
        except BaseException as failure:  # a thread has nobody to tell
            self.failures.append(failure)
