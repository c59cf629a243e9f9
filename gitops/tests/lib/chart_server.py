"""Serves Helm repositories under their real URLs on loopback: an HTTP proxy that answers for their hosts and refuses all others, so
that Argo CD and helm fetch every chart from the URL that the Applications name and nothing goes to the internet.

A chart comes from the folder of real charts if it is there; otherwise it has that name and version and only a ConfigMap, so
that its Application creates its namespace.
"""

import ssl
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from common.start import Loopback
from lib import render
from lib.cluster import argo_cd_reads


def stand_in(folder: Path, name: str) -> Path:
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text(yaml.safe_dump({"apiVersion": "v2", "name": name, "version": "0.0.0"}))
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"stands-for-{name}"}}
    (folder / "templates" / "stand-in.yaml").write_text(yaml.safe_dump(config_map))
    return folder


class ChartServer(Loopback):
    """Serves the charts of these Applications; `real` holds unpacked charts by name. Writes its certificate into `own`."""

    def __init__(self, applications: list[dict], real: Path, use_real: set[str], own: Path):
        sources = [a["spec"]["source"] for a in applications if "chart" in a["spec"]["source"]]
        charts = {(s["repoURL"], s["chart"], s["targetRevision"]) for s in sources}
        self.urls = sorted({url for url, _, _ in charts})
        names = {name for _, name, _ in charts}
        self.real, self.empty = names & use_real, names - use_real
        root, hosts = own / "served", sorted({urlsplit(url).hostname for url in self.urls})
        for url, name, version in sorted(charts):
            chart = real / name if name in self.real else stand_in(own / "stand-ins" / name, name)
            folder = root / urlsplit(url).hostname / urlsplit(url).path.strip("/")
            render.run("helm", "package", chart, "--version", version, "--destination", folder)
        for url in self.urls:
            render.run("helm", "repo", "index", root / urlsplit(url).hostname / urlsplit(url).path.strip("/"), "--url", url)
        self.certificate, key = own / "cert", own / "key"
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=charts"]
        render.run(*make, "-addext", "subjectAltName=" + ",".join(f"DNS:{host}" for host in hosts), "-keyout", key, "-out", self.certificate)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.certificate, key)

        class Proxy(SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_CONNECT(self):
                host = self.path.split(":")[0]
                if host not in hosts:
                    self.send_error(403, "not mapped")
                    return
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                self.connection = tls.wrap_socket(self.connection, server_side=True)
                self.rfile = self.connection.makefile("rb")
                self.wfile = self.connection.makefile("wb", buffering=0)
                self.directory = str(root / host)
                self.close_connection = False

        super().__init__(Proxy)

    def known_to_argo_cd(self) -> None:
        print(f"\ncharts that are real: {sorted(self.real)}; that only make their namespace: {sorted(self.empty)}")
        for i, url in enumerate(self.urls):
            argo_cd_reads(f"charts-{i}", {"type": "helm", "name": f"charts-{i}", "url": url, "proxy": self.url})
