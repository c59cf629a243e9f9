"""Requests to the service as users send them, whose names and dates must never appear in a log."""

import random
from datetime import date, timedelta

from common.load import Client, Load

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TRACE = "00-{:032x}-{:016x}-01"


class People(Load):
    """Names and dates of birth that occur nowhere else: saved, then looked up, saved again and subscribed to."""

    def __init__(self, port: int, count: int = 40):
        super().__init__(lambda: Client(port), clients=3, pause=0.05)
        chance = random.Random(1)
        self.born = {
            "Zq" + "".join(chance.choices(LETTERS, k=10)): (date(1931, 1, 1) + timedelta(days=chance.randrange(30000))).isoformat()
            for _ in range(count)
        }
        self.unknown = "Xj" + "".join(chance.choices(LETTERS, k=10))
        self.statuses: list[int] = []
        self.traces: set[str] = set()

    def save_all(self) -> None:
        client = self.client()
        assert {client.save(*person).status for person in self.born.items()} == {204}

    def _run(self, prefix: str) -> None:
        client, chance, number = self.client(), random.Random(prefix[-1]), ord(prefix[-1])
        while not self.over.wait(self.pause):
            name, number = chance.choice(list(self.born)), number + 256
            trace = TRACE.format(number, number)
            path, body = chance.choice([(self.unknown, ""), (name, self.born[name]), (f"{name}/birthday.ics", ""), (name, ""), (name, "")])
            answer = client.save(path, body) if body else client.request("GET", f"/hello/{path}", headers={"traceparent": trace})
            self.statuses.append(answer.status)
            self.traces.add(trace.split("-")[1])
