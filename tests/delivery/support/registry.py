"""A throwaway image registry (CNCF distribution), and small images in it."""

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from common.start import eventually, free_port

MANIFEST = "application/vnd.oci.image.manifest.v1+json"

# a stand-in for docker buildx: `build` pushes nothing and reports $BUILT, `imagetools create` makes the index with crane
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

    def push(self, commit: str, platform: str = "amd64", **labels: str) -> str:
        """Pushes an image without files that names `commit` as its source; returns its digest. Other labels make another image."""
        labels |= {"org.opencontainers.image.revision": commit}
        config = {"architecture": platform, "os": "linux", "config": {"Labels": labels}, "rootfs": {"type": "layers", "diff_ids": []}}
        about, data = self._described(config, "application/vnd.oci.image.config.v1+json")
        where = self._ask("POST", "blobs/uploads/").headers["Location"]
        self._ask("PUT", f"{where}&digest={about['digest']}", data, "application/octet-stream")
        about, data = self._described({"schemaVersion": 2, "mediaType": MANIFEST, "config": about, "layers": []}, MANIFEST)
        self._ask("PUT", f"manifests/{about['digest']}", data, MANIFEST)
        return about["digest"]

    def tags(self) -> set[str]:
        try:
            return set(json.loads(self._ask("GET", "tags/list").read())["tags"] or [])
        except urllib.error.HTTPError as error:
            assert error.code == 404
            return set()

    def _described(self, what: dict, kind: str) -> tuple[dict, bytes]:
        data = json.dumps(what).encode()
        return {"mediaType": kind, "digest": "sha256:" + hashlib.sha256(data).hexdigest(), "size": len(data)}, data

    def _ask(self, method: str, path: str, data: bytes | None = None, kind: str = "application/json"):
        url = path if path.startswith("http") else f"http://{self.address}/v2/{self.name}/{path}"
        request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)
        return urllib.request.urlopen(request, timeout=20)


@contextlib.contextmanager
def running(folder: Path, users: str = "") -> Iterator[Registry]:
    """The registry on a free loopback port, its data in `folder`. `users` are lines of an htpasswd file: only they have access."""
    address = f"127.0.0.1:{free_port()}"
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
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(["registry", "serve", folder / "settings.json"], stdout=log, stderr=log, env=environment)
    try:
        eventually("the registry listens", lambda: socket.create_connection(tuple(address.split(":")), timeout=1).close() or True)
        yield Registry(address)
    finally:
        server.terminate()
        server.wait(20)
