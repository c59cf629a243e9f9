"""A system under test as a process tree: started, timed to its first answer, and what it costs."""

import http.client
import os
import subprocess
import time
from contextlib import contextmanager
from collections.abc import Iterator
from pathlib import Path

import psutil

PATIENCE = 30.0  # seconds until a system must have answered


def cpu_seconds(pid: int) -> float:
    """User and system time of a process tree, of children that have ended too."""
    process = psutil.Process(pid)
    while True:
        own = process.cpu_times()
        total = sum(own[:4])
        for child in process.children(recursive=True):
            try:
                total += sum(child.cpu_times()[:4])
            except psutil.NoSuchProcess:
                pass
        # A child whose end was noted meanwhile is in neither sum: once more.
        if process.cpu_times()[2:4] == own[2:4]:
            return total


def resident_bytes(pid: int) -> int:
    process = psutil.Process(pid)
    return sum(member.memory_info().rss for member in (process, *process.children(recursive=True)))


class Running:
    """A started system."""

    def __init__(self, process: subprocess.Popen, port: int, start_seconds: float) -> None:
        self.pid, self.port, self.start_seconds = process.pid, port, start_seconds
        self._process = process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def alive(self) -> bool:
        return self._process.poll() is None


@contextmanager
def running(command: list[str], environment: dict[str, str], port: int, log: Path, probe: str) -> Iterator[Running]:
    """Starts the system and waits until it answers `probe` with 200; ends the whole tree afterwards."""
    with open(log, "ab") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],
            env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=log.parent,
        )
    try:
        while not answers(port, probe):
            if process.poll() is not None or time.perf_counter() - began > PATIENCE:
                raise RuntimeError(f"{command[0]} does not answer:\n{log.read_text()[-2000:]}")
            time.sleep(0.0005)
        yield Running(process, port, time.perf_counter() - began)
    finally:
        end(process)


def answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def end(process: subprocess.Popen) -> None:
    """Politely to the first process, which is to end its own children, and by force to what is left."""
    try:
        tree = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        tree = []
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in psutil.wait_procs(tree, 2)[1]:
        child.kill()
