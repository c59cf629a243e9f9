"""The real service under a clock that the test sets."""

import http.client
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time
from datetime import date, timedelta

PATIENCE = 20  # seconds


class Service:
    """The binary on a free port with an empty database, on the date of `today`, at noon UTC."""

    def __init__(self, leap_day: str):
        self.folder = tempfile.TemporaryDirectory(prefix="birthday-calendar-")
        self.clock = pathlib.Path(self.folder.name, "clock")
        self.leap_day = leap_day

    def __enter__(self):
        self.set_today(date.today())
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ROCKET_")}
        preload = subprocess.run(
            ["faketime", "2000-01-01", "printenv", "LD_PRELOAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        self.process = subprocess.Popen(
            [os.environ["BIRTHDAY_API"]],
            cwd=self.folder.name,
            env=inherited
            | {
                "LD_PRELOAD": preload,
                "FAKETIME_TIMESTAMP_FILE": str(self.clock),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "TZ": "UTC",
                "ROCKET_PORT": str(port),
                "ROCKET_LIFECYCLE": "{drain=0}",
                "ROCKET_BIRTHDAY": f'{{leap_day="{self.leap_day}"}}',
            },
        )
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.ask("GET", "/readyz")
                return self
            except ConnectionError:
                self.connection.close()
                if self.process.poll() is not None or time.monotonic() > until:
                    self.__exit__()
                    raise
                time.sleep(0.05)

    def __exit__(self, *_):
        self.connection.close()
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.folder.cleanup()

    def set_today(self, today: date):
        # In one step: the service may read the clock at any moment.
        new = self.clock.with_suffix(".new")
        new.write_text(f"{today} 12:00:00\n")
        new.rename(self.clock)

    def ask(self, method: str, path: str, body: dict | None = None):
        headers = {"Content-Type": "application/json"} if body else {}
        self.connection.request(method, path, body=json.dumps(body) if body else None, headers=headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text}")
        return answer.headers, text

    def save(self, name: str, born: date):
        self.ask("PUT", f"/hello/{name}", {"dateOfBirth": born.isoformat()})

    def calendar(self, name: str) -> str:
        return self.ask("GET", f"/hello/{name}/birthday.ics")[1]

    def next_birthday(self, name: str, today: date) -> date:
        headers, text = self.ask("GET", f"/hello/{name}")
        if headers["Birthday-Today"] != today.isoformat():
            raise RuntimeError(f"the service's date is {headers['Birthday-Today']} and not {today}")
        message = json.loads(text)["message"]
        if message == f"Hello, {name}! Happy birthday!":
            return today
        days = message.removeprefix(f"Hello, {name}! Your birthday is in ").removesuffix(" day(s)")
        return today + timedelta(days=int(days))
