"""Metrics in text format: the service's, and simulated ones in place of the other exporters."""

import http.server
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lib.queries import HERE

Sample = tuple[str, dict[str, str]]
EXPORTERS = (HERE / "exporters.prom").read_text()


def samples(text: str) -> list[Sample]:
    """Name and labels of every sample."""
    found = re.findall(r"^([a-zA-Z_:][\w:]*)(?:\{(.*?)\})? ", text, re.MULTILINE)
    return [(name, dict(re.findall(r'(\w+)="([^"]*)"', labels))) for name, labels in found]


@contextmanager
def exporters() -> Iterator[int]:
    """Serves exporters.prom, on the port that it yields."""
    began = time.monotonic()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            age = time.monotonic() - began
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(re.sub(r"(_(?:total|bucket){.*}) (.*)", lambda line: f"{line[1]} {float(line[2]) * age}", EXPORTERS).encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()
