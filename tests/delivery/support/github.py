"""A stand-in for GitHub's REST API. It rejects requests that GitHub's OpenAPI description does not allow, and records what it receives."""

import contextlib
import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jsonschema
from referencing import Registry, Resource, jsonschema as dialects

from common.start import Loopback

HOST, REPOSITORY = "github.localhost", "owner/birthdays"  # the only host with which `gh` uses plain HTTP


class GitHub:
    def __init__(self, description: Path, statuses: Path):
        self.description = json.loads(description.read_text())
        self.registry = Registry().with_resource("api", Resource.from_contents(self.description, default_specification=dialects.DRAFT202012))
        self.statuses = statuses  # one file per commit
        self.sent: list[tuple[str, str, dict]] = []  # method, path in the repository, body
        self.assets: dict[str, bytes] = {}
        self.owners: list[dict] = []  # errors in CODEOWNERS
        self.address = ""

    @property
    def environment(self) -> dict[str, str]:
        """Variables that make `gh` use this server."""
        return {"HTTP_PROXY": self.address, "GH_HOST": HOST, "GH_REPO": f"{HOST}/{REPOSITORY}", "GH_TOKEN": "token"}

    def of(self, commit: str) -> list[dict]:
        """The statuses of a commit, the newest first."""
        file = self.statuses / commit
        return json.loads(file.read_text()) if file.exists() else []

    def add(self, commit: str, status: dict) -> None:
        self.statuses.mkdir(exist_ok=True)
        (self.statuses / commit).write_text(json.dumps([status, *self.of(commit)]))

    def answer(self, method: str, url: str, data: bytes) -> object:
        path, query = urlsplit(url).path.removeprefix("/api/v3"), parse_qs(urlsplit(url).query)
        inside = "/".join(path.split("/")[4:])
        if path == "/graphql":  # whether the tag exists
            return {"data": {"repository": {"ref": {"id": "tag"}}}}
        if path.startswith("/upload/"):
            self.assets[query["name"][0]] = data
            return {"name": query["name"][0], "state": "uploaded"}
        if method == "GET":
            known = {"": {"full_name": REPOSITORY, "id": 7, "visibility": "public"}, "codeowners": {"errors": self.owners}, "commits": self.of(path.split("/")[-2]), "environments": {"branch_policies": []}}
            return known.get(inside.split("/")[0] if path.startswith("/repos/") else "", [])
        body = json.loads(data or b"{}") or {}
        self.check(method, path, body)
        self.sent.append((method, inside, body))
        if inside.startswith("statuses/"):
            self.add(inside.removeprefix("statuses/"), body)
        release = {"id": 1, "url": f"http://api.{HOST}/repos/{REPOSITORY}/releases/1", "upload_url": f"http://api.{HOST}/upload/1{{?name,label}}"}
        return release | {"html_url": "", "tag_name": "", "assets": [], "draft": body.get("draft", False), "token": "of-the-app", "expires_at": "2100-01-01T00:00:00Z"}

    def check(self, method: str, path: str, body: dict) -> None:
        """Checks that the body matches the description and has no unknown property."""
        paths, method = self.description["paths"], method.lower()
        [template] = [one for one in paths if method in paths[one] and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one), path)]
        if "requestBody" not in paths[template][method]:
            assert not body, body
            return
        place = ["paths", template.replace("/", "~1"), method, "requestBody", "content", "application~1json", "schema"]
        jsonschema.Draft202012Validator({"$ref": "api#/" + "/".join(place)}, registry=self.registry).validate(body)
        found = paths[template][method]["requestBody"]["content"]["application/json"]["schema"]
        if "$ref" in found:
            found = self.description["components"]["schemas"][found["$ref"].rsplit("/", 1)[-1]]
        assert body.keys() <= found["properties"].keys(), body.keys() - found["properties"].keys()


@contextlib.contextmanager
def running(description: Path, folder: Path) -> Iterator[GitHub]:
    github = GitHub(description, folder / "statuses")

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"] or 0))
            while self.headers["Transfer-Encoding"] == "chunked" and (size := int(self.rfile.readline(), 16)):
                data += self.rfile.read(size + 2)[:-2]
            try:
                status, answer = 201 if self.command == "POST" and "graphql" not in self.path else 200, github.answer(self.command, self.path, data)
            except Exception as error:  # noqa: BLE001
                status, answer = 422, {"message": f"{self.command} {self.path}: {error!r}"[:2000]}
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_HEAD(self) -> None:  # whether the release exists
            self.send_error(404)

        do_GET = do_POST = do_PUT = do_PATCH = handle_any

    with contextlib.closing(Loopback(Handler)) as server:
        github.address = server.url
        yield github
