"""What stands between users and the pods."""

import asyncio
import itertools
import threading
import time


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
