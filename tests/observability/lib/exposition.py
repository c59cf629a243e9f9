"""Metrics as text: what the service says, and what is played in place of the exporters that are not here."""

import http.server
import re
import threading
import time

import yaml

from lib.queries import HERE

Sample = tuple[str, dict[str, str]]


def samples(text: str) -> list[Sample]:
    """Name and labels of every sample of OpenMetrics text."""
    found = re.findall(r"^([a-zA-Z_:][\w:]*)(?:\{(.*?)\})? ", text, re.MULTILINE)
    return [(name, dict(re.findall(r'(\w+)="([^"]*)"', labels))) for name, labels in found]


def exporters() -> dict[str, list[dict]]:
    return yaml.safe_load((HERE / "exporters.yaml").read_text())


class Exporters:
    """Serves exporters.yaml on a free port: gauges with their value, counters that grow."""

    def __enter__(self):
        began = time.monotonic()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                age = time.monotonic() - began
                series = [entry for entries in exporters().values() for entry in entries]
                text = "".join(f"{e['series']} {e.get('value', 0) + e.get('per_second', 0) * age}\n" for e in series)
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
