"""Releases a version as release.yml does, up to the upload, with real git, cargo, helm, crane, registry and gh."""

import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from support import github, registry, workflows
from support import repository as repositories
from support.registry import DOCKER
from support.repository import ROOT, Repository
from support.tools import Tools

VERSION = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
TARGET = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout.split("host: ")[1].split()[0]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A stand-in for GitHub's API, a registry, and a clone with the tag; programs that need GitHub or the internet are stubs."""
    folder = tmp_path_factory.mktemp("release")
    repositories.server(folder)
    subprocess.run(["git", "clone", "-q", folder / "origin.git", folder / "clone"], check=True)
    tools = Tools(folder / "tools", "crane")
    for name, script in {"docker": DOCKER, "grype": "", "aws": "echo password"}.items():
        tools.stand_in(name, script)
    with registry.running(folder / "registry") as images, github.running(Path(os.environ["OPENAPI"]), folder) as api:
        clone = Repository(folder / "clone", {
            "CARGO_TARGET_DIR": str(ROOT / "target"), "PLAIN_HTTP": "1", **tools.environment, **api.environment,
        })  # fmt: skip
        clone.git("tag", f"v{VERSION}")
        yield clone, images.address, api


def play(world, job: str, **values: str) -> dict[str, str]:
    clone, address, _ = world
    owner = github.REPOSITORY.split("/")[0]
    values |= {"github.repository": github.REPOSITORY, "github.repository_owner": owner, "github.token": "token", "runner.os == 'macOS'": "false"}
    there = {"IMAGE_REPOSITORY": f"{address}/{github.REPOSITORY}", "CHART_REPOSITORY": f"{address}/{owner}/charts", "GITHUB_REF_NAME": f"v{VERSION}"}
    return workflows.play(clone, "release.yml", job, values, limit=3000, **there)


def test_a_version_is_released(world):
    clone, address, api = world
    play(world, "check")
    play(world, "binary")
    commit, built = clone.git("rev-parse", "HEAD"), {}
    images = registry.Registry(address, github.REPOSITORY)
    for platform in ("amd64", "arm64"):
        clone.environment["BUILT"] = images.push(commit, platform)
        built |= play(world, "image", **{"matrix.platform": platform})
    others = [f"birthday-api-{VERSION}-{target}.tar.gz" for target in ("other-linux", "other-macos")]  # built on other runners
    for name in others:
        (clone.folder / "dist" / name).write_bytes(b"other")
    given = play(world, "publish", **{f"needs.image.outputs.{name}": digest for name, digest in built.items()})

    files = [f"birthday-api-{VERSION}-{TARGET}.tar.gz", f"birthday-api-chart-{VERSION}.tgz", f"birthday-api-{VERSION}.cdx.json", "SHA256SUMS", *others]
    assert sorted(api.assets) == sorted(files)
    sums = dict(reversed(line.split("  ")) for line in api.assets["SHA256SUMS"].decode().splitlines())
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in api.assets.items() if name != "SHA256SUMS"}
    packed = tarfile.open(fileobj=io.BytesIO(api.assets[files[0]])).getnames()
    assert sorted(name.rpartition("/")[2] for name in packed[1:]) == ["CHANGELOG.md", "LICENSE", "README.md", "Rocket.toml", "birthday-api"]
    crates = {component["name"] for component in json.loads(api.assets[files[2]])["components"]}
    assert crates > {"rocket", "sqlx", "tikv-jemalloc-sys"} and "proptest" not in crates

    (_, made, draft), (_, _, published) = api.sent
    assert made == "releases" and draft["tag_name"] == draft["name"] == f"v{VERSION}" and draft["draft"] and not published["draft"]
    section = (ROOT / "CHANGELOG.md").read_text().split(f"## [{VERSION}]")[1].split("\n", 1)[1].split("\n## ")[0]
    assert draft["body"].strip() == section.strip()

    assert images.tags() == {commit, VERSION}
    digest = lambda image: clone.run("crane", "digest", image).out  # noqa: E731
    assert digest(f"{images.repository}:{VERSION}") == digest(f"{images.repository}:{commit}")
    chart = f"{address}/{github.REPOSITORY.split('/')[0]}/charts/birthday-api:{VERSION}"
    assert digest(chart) == given["digest"]
    shown = clone.run("helm", "template", "birthday-api", f"oci://{chart.removesuffix(':' + VERSION)}", "--version", VERSION, "--plain-http", "--kube-version=1.35.0")
    assert f"birthday-api:{VERSION}" in shown.out, shown


def test_a_tag_that_is_not_the_version_or_not_of_main_or_without_a_section_is_refused(world):
    clone = world[0]
    refused = lambda tag: clone.run("scripts/release", "notes", tag).err  # noqa: E731
    assert "is not the version" in refused("v9.9.9") and "is not the version" in refused(VERSION)
    clone.git("checkout", "-q", "--detach")
    clone.commit("Change", **{"CHANGELOG.md": "# Changelog\n"})
    assert "not on main" in refused(f"v{VERSION}")
    clone.git("push", "-q", "origin", "HEAD:main")
    assert "no entries for" in refused(f"v{VERSION}")
    clone.git("checkout", "-q", "main")


def test_cargo_installs_it_from_git(world, tmp_path):
    done = world[0].run("cargo", "install", "--quiet", "--locked", "--git", f"file://{world[0].folder}", "--root", str(tmp_path), "birthday-api", limit=3000)
    assert done.code == 0, done
    assert subprocess.run([tmp_path / "bin/birthday-api", "--version"], capture_output=True, text=True).stdout == f"birthday-api {VERSION}\n"


def test_the_settings_of_the_repository_are_what_github_takes(world):
    clone, _, api = world
    del api.sent[:]
    api.owners = [{"message": "Unknown owner on line 2"}]
    done = clone.run("scripts/github-settings", "42", "operations")
    assert done.code == 1 and "Unknown owner on line 2" in done.err and not api.sent, done
    api.owners = []
    done = clone.run("scripts/github-settings", "42", "operations")
    assert done.code == 0, done
    paths = [path for _, path, _ in api.sent]
    assert paths.count("rulesets") == 2 and [path.split("/")[1] for path in paths if path.startswith("environments") and path.count("/") == 1] == ["production", "delivery", "staging"]
    # what a private repository may be refused comes first; reports of vulnerabilities have a private way
    assert paths[0] == "environments/production" and "private-vulnerability-reporting" in paths
    assert {"vulnerability-alerts", "automated-security-fixes"} <= set(paths)
    [main] = [body for _, _, body in api.sent if body.get("name") == "main" and "rules" in body]
    assert main["bypass_actors"] == [{"actor_type": "Integration", "actor_id": 42, "bypass_mode": "always"}]
    [production] = [body for _, path, body in api.sent if path == "environments/production"]
    assert production["reviewers"] == [{"type": "Team", "id": 7}]
