"""Serves Helm repositories under their real URLs on loopback: an HTTP proxy that answers for mapped hosts and refuses
all others, so that Argo CD fetches every chart from the URL that the Applications name and nothing goes outside.

A chart comes from a folder of real charts if it is there, else it is one of that name and version that holds a
ConfigMap only, so that its Application makes its namespace.
"""

import hashlib
import io
import ssl
import subprocess
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlparse

import yaml


def package(name: str, version: str, real: Path | None) -> bytes:
    """A chart as `helm package` makes it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        if real:
            tar.add(real, arcname=name)
        else:
            config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"stands-for-{name}"}}
            add(tar, f"{name}/Chart.yaml", {"apiVersion": "v2", "name": name, "version": version})
            add(tar, f"{name}/templates/stand-in.yaml", config_map)
    return out.getvalue()


def add(tar: tarfile.TarFile, path: str, content: dict) -> None:
    text = yaml.safe_dump(content).encode()
    info = tarfile.TarInfo(path)
    info.size = len(text)
    tar.addfile(info, io.BytesIO(text))


class ChartServer:
    """`charts` are (repository URL, chart, version); `real` holds unpacked charts by name. Its certificate goes into `own`."""

    def __init__(self, charts: set[tuple[str, str, str]], real: Path, use_real: set[str], own: Path):
        self.files: dict[str, bytes] = {}
        self.hosts: set[str] = set()
        self.real: set[str] = set()
        self.empty: set[str] = set()
        indexes: dict[str, dict] = {}
        for url, name, version in sorted(charts):
            folder = real / name if name in use_real else None
            (self.real if folder else self.empty).add(name)
            at = urlparse(url)
            self.hosts.add(at.hostname)
            data = package(name, version, folder)
            file = f"{at.path.rstrip('/')}/{name}-{version}.tgz"
            self.files[at.hostname + file] = data
            entry = {
                "apiVersion": "v2",
                "name": name,
                "version": version,
                "urls": [f"{at.scheme}://{at.hostname}{file}"],
                "digest": hashlib.sha256(data).hexdigest(),
                "created": "2026-01-01T00:00:00Z",
            }
            index = f"{at.hostname}{at.path.rstrip('/')}/index.yaml"
            indexes.setdefault(index, {"apiVersion": "v1", "entries": {}})["entries"].setdefault(name, []).append(entry)
        for index, content in indexes.items():
            self.files[index] = yaml.safe_dump(content).encode()
        self.certificate, key = own / "cert", own / "key"
        names = "subjectAltName=" + ",".join(f"DNS:{host}" for host in sorted(self.hosts))
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=charts", "-addext", names]
        subprocess.run([*make, "-keyout", key, "-out", self.certificate], check=True, capture_output=True)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.certificate, key)
        server = self

        class Proxy(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_CONNECT(self):
                if self.path.split(":")[0] not in server.hosts:
                    self.send_error(403, "not mapped")
                    return
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                self.connection = server.tls.wrap_socket(self.connection, server_side=True)
                self.rfile = self.connection.makefile("rb")
                self.wfile = self.connection.makefile("wb", buffering=0)
                self.close_connection = False

            def do_GET(self):
                data = server.files.get(self.headers["Host"].split(":")[0] + urlparse(self.path).path)
                if data is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
