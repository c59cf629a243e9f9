"""A stand-in for GitHub's REST API that refuses what GitHub's own description of it (OpenAPI) does not allow, and keeps what it was sent."""

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jsonschema
import referencing
import referencing.jsonschema

REPOSITORY = "owner/birthdays"
# `gh` speaks HTTP with this host alone
HOST = "github.localhost"


class GitHub:
    def __init__(self, description: Path):
        self.description = json.loads(description.read_text())
        resource = referencing.Resource.from_contents(self.description, default_specification=referencing.jsonschema.DRAFT202012)
        self.registry = referencing.Registry().with_resource("api", resource)
        self.sent: list[tuple[str, str, dict]] = []  # method, path in the repository, body
        self.assets: dict[str, bytes] = {}
        self.address = ""

    @property
    def environment(self) -> dict[str, str]:
        """What makes `gh` ask this server."""
        return {"HTTP_PROXY": self.address, "GH_HOST": HOST, "GH_REPO": f"{HOST}/{REPOSITORY}", "GH_TOKEN": "token"}

    def answer(self, method: str, url: str, data: bytes) -> object:
        path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        if path == "/graphql":  # whether the tag is there
            return {"data": {"repository": {"ref": {"id": "tag"}}}}
        inside = path.removeprefix(f"/repos/{REPOSITORY}/")
        if path.startswith("/upload/"):
            self.assets[query["name"][0]] = data
            return {"name": query["name"][0], "state": "uploaded"}
        if path.startswith("/orgs/"):
            return {"id": 7}
        if method == "GET":
            return {"": {"full_name": REPOSITORY}}.get(inside.removeprefix(f"/repos/{REPOSITORY}"), {"branch_policies": []} if "policies" in inside else [])
        body = json.loads(data or b"{}")
        self.check(method, path, body)
        self.sent.append((method, inside, body))
        release = {"id": 1, "url": f"http://api.{HOST}/repos/{REPOSITORY}/releases/1", "upload_url": f"http://api.{HOST}/upload/1{{?name,label}}"}
        return release | {"html_url": "http://example.test/release", "tag_name": "", "assets": [], "draft": body.get("draft", False)}

    def check(self, method: str, path: str, body: dict) -> None:
        """The body is as the description asks, and has no property that it does not know."""
        [template] = [one for one in self.description["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one), path) and method.lower() in self.description["paths"][one]]
        place = [*("paths", template.replace("~", "~0").replace("/", "~1"), method.lower()), "requestBody", "content", "application~1json", "schema"]
        schema = {"$ref": "api#/" + "/".join(place)}
        jsonschema.Draft202012Validator(schema, registry=self.registry).validate(body)
        found = self.description["paths"][template][method.lower()]["requestBody"]["content"]["application/json"]["schema"]
        if "$ref" in found:
            found = self.description["components"]["schemas"][found["$ref"].rsplit("/", 1)[-1]]
        assert body.keys() <= found["properties"].keys(), body.keys() - found["properties"].keys()


@contextlib.contextmanager
def running(description: Path) -> Iterator[GitHub]:
    github = GitHub(description)

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"] or 0))
            while self.headers["Transfer-Encoding"] == "chunked" and (size := int(self.rfile.readline(), 16)):
                data += self.rfile.read(size + 2)[:-2]
            try:
                status, answer = 201 if self.command == "POST" else 200, github.answer(self.command, self.path, data)
            except Exception as error:  # noqa: BLE001
                status, answer = 422, {"message": f"{self.command} {self.path}: {error!r}"[:2000]}
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_PATCH = handle_any

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    github.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield github
    finally:
        server.shutdown()
