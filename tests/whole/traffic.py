"""What users do, and what stands between them and the pods."""

import asyncio
import itertools
import threading
import time
from collections import Counter
from datetime import date

from compose.load import Client, Event, Load, names

GOOD = {"PUT": 204, "GET": 200}
DAYS = itertools.count(1)


class Balancer:
    """New connections go, in turn, to the instances that the pods' own readiness probe finds ready."""

    def __init__(self, probe: dict, port: int):
        self.probe, self.to = probe, port
        self.ready: dict[str, bool] = {}
        self.refused, self.turn = 0, itertools.count()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = self._do(asyncio.start_server(self._lead, "127.0.0.1", 0))
        self.port = self.server.sockets[0].getsockname()[1]

    def add(self, address: str, seconds: float = 60) -> None:
        """Returns when it is ready."""
        self.ready[address] = False
        asyncio.run_coroutine_threadsafe(self._watch(address), self.loop)
        end = time.monotonic() + seconds
        while not self.ready[address]:
            assert time.monotonic() < end, f"{address} is not ready within {seconds:.0f} s"
            time.sleep(0.05)

    def remove(self, address: str) -> None:
        self.ready.pop(address)

    def close(self) -> None:
        self._do(self._end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    async def _watch(self, address: str) -> None:
        while address in self.ready:
            try:
                found = await asyncio.wait_for(self._asked(address), self.probe["timeoutSeconds"])
            except (OSError, asyncio.TimeoutError):
                found = False
            if address in self.ready:
                self.ready[address] = found
            await asyncio.sleep(self.probe["periodSeconds"])

    async def _asked(self, address: str) -> bool:
        reader, writer = await asyncio.open_connection(address, self.to)
        try:
            writer.write(f"GET {self.probe['httpGet']['path']} HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n".encode())
            return b" 200 " in await reader.readline()
        finally:
            writer.close()

    async def _lead(self, reader, writer) -> None:
        ready = [address for address, is_ready in self.ready.items() if is_ready]
        turn = next(self.turn)
        for address in (ready[(turn + i) % len(ready)] for i in range(len(ready))):
            try:
                inner, outer = await asyncio.wait_for(asyncio.open_connection(address, self.to), 1)
                break
            except (OSError, asyncio.TimeoutError):
                self.refused += 1
        else:
            writer.close()
            return
        await asyncio.gather(pass_on(reader, outer), pass_on(inner, writer))


async def pass_on(reader, writer) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # the other direction ends, too
    finally:
        writer.close()


class Steady(Load):
    """Each client saves a name that nobody had, which nobody saves again: lost is lost. Then it saves one of its twenty others once
    more; every save has a date of its own, later than all before it, so that what is read back tells which save it was."""

    def _run(self, letter: str):
        client = Client(self.port, keep_alive=True)
        new = names(letter)
        known = itertools.cycle(list(itertools.islice(new, 20)))
        saved = set()
        for name in itertools.chain.from_iterable(zip(new, known)):
            if self._record(client, "PUT", name, date.fromordinal(next(DAYS)).isoformat()).saved:
                saved.add(name)
            if name in saved:
                self._record(client, "GET", name)
            if self.over.wait(self.pause):
                return


def failed(event: Event) -> bool:
    return event.answer is None or event.answer.status != GOOD[event.method]


def how(event: Event) -> str:
    return f"{event.method} {event.answer.status if event.answer else event.error}"


def lost(events: list[Event], kept: dict[str, str]) -> list[str]:
    """Names of which neither the last acknowledged date nor one that was tried after it is kept."""
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
    """One line of the table."""
    saves = sorted(e.ended for e in events if e.saved)
    began = [min(e.sent for e in events)] if events else []
    pause = max((b - a for a, b in zip(began + saves, saves)), default=0.0)
    failures = Counter(how(e) for e in events if failed(e))
    by_replica = sum(1 for e in events if e.answer and "birthday-source" in e.answer.headers)
    slowest = max((e.ended - e.sent for e in events), default=0.0)
    told = ", ".join(f"{count} {what}" for what, count in failures.items()) or "none"
    return f"{len(events):6d} {len(saves):6d} {slowest:9.2f} {pause:9.2f} {by_replica:8d}  {told}"
