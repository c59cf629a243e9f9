"""A throwaway image registry (CNCF distribution), and small images in it."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"

# docker buildx, as far as it is used: `build` pushes nothing and reports $BUILT, `imagetools create` is crane's index
DOCKER = r"""
case "$1 $2 $3" in
  "buildx build "*)
    while [ $# -gt 0 ]; do [ "$1" != --metadata-file ] || printf '{"containerimage.digest": "%s"}' "$BUILT" >"$2"; shift; done ;;
  "buildx imagetools create") tag=$5; shift 5; for image; do set -- "$@" --manifest "$image"; shift; done; crane index append --tag "$tag" "$@" ;;
esac
"""


class Registry:
    """One repository of a registry."""

    def __init__(self, address: str, name: str = "birthday-api"):
        self.address, self.name = address, name
        self.repository = f"{address}/{name}"

    def push(self, commit: str, platform: str = "amd64", content: str = "") -> str:
        """An image that says it was built from `commit`; its digest. Another `content` makes another image."""
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w") as tar:
            info = tarfile.TarInfo("birthday-api")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content.encode()))
        labels = {"org.opencontainers.image.revision": commit}
        rootfs = {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain.getvalue()).hexdigest()]}
        config = {"architecture": platform, "os": "linux", "config": {"Labels": labels}, "rootfs": rootfs}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
            "layers": [self._blob(gzip.compress(plain.getvalue(), mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip")],
        }
        data = json.dumps(manifest).encode()
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self._ask("PUT", f"manifests/{digest}", data, MANIFEST)
        return digest

    def tags(self) -> set[str]:
        try:
            return set(json.loads(self._ask("GET", "tags/list").read())["tags"] or [])
        except urllib.error.HTTPError as error:
            assert error.code == 404
            return set()

    def _blob(self, data: bytes, kind: str) -> dict:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        where = self._ask("POST", "blobs/uploads/").headers["Location"]
        self._ask("PUT", f"{where}&digest={digest}", data, "application/octet-stream")
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def _ask(self, method: str, path: str, data: bytes | None = None, kind: str = "application/json"):
        url = path if path.startswith("http") else f"http://{self.address}/v2/{self.name}/{path}"
        request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)
        return urllib.request.urlopen(request, timeout=20)


@contextlib.contextmanager
def running(program: Path, folder: Path, users: str = "") -> Iterator[Registry]:
    """The registry on a free port of loopback, its data in `folder`. `users` are lines of an htpasswd file: only they get in."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    settings: dict = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": address},
    }
    folder.mkdir(parents=True, exist_ok=True)
    if users:
        (folder / "users").write_text(users)
        settings["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "users")}}
    (folder / "settings.json").write_text(json.dumps(settings))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("REGISTRY_", "OTEL_"))} | {"OTEL_TRACES_EXPORTER": "none"}
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen([program, "serve", folder / "settings.json"], stdout=log, stderr=log, env=environment)
    try:
        for _ in range(200):
            assert server.poll() is None, (folder / "log").read_text()
            with contextlib.suppress(OSError), socket.create_connection(tuple(address.split(":")), timeout=1):
                break
            time.sleep(0.05)
        yield Registry(address)
    finally:
        server.terminate()
        server.wait(20)
