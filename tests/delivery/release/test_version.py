"""A version is released as release.yml does it, up to what would be uploaded: real git, cargo, helm, crane, registry and gh."""

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
from support.repository import ROOT, Repository

REAL = Path(os.environ["DELIVERY_REAL_TOOLS"])
VERSION = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
TARGET = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout.split("host: ")[1].split()[0]
# of docker, joining what each platform has pushed: crane's index
DOCKER = """#!/bin/sh
case "$2" in
  build) while [ $# -gt 0 ]; do [ "$1" != --metadata-file ] || printf '{"containerimage.digest": "%s"}' "$BUILT" >"$2"; shift; done ;;
  imagetools) tag=$5; shift 5; for image; do set -- "$@" --manifest "$image"; shift; done; crane index append --tag "$tag" "$@" ;;
esac
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """GitHub's API, a registry, and a clone whose commit has the tag; programs that only GitHub or the internet can answer do nothing."""
    folder = tmp_path_factory.mktemp("release")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, text=True, capture_output=True, check=True).stdout.split()
    repositories.server(folder, tracked)
    subprocess.run(["git", "clone", "-q", folder / "origin.git", folder / "clone"], check=True)
    tools = folder / "tools" / hashlib.sha256((ROOT / "scripts/tools").read_bytes()).hexdigest()[:12]
    tools.mkdir(parents=True)
    (tools / "crane").symlink_to(REAL / "crane")
    for name, script in {"docker": DOCKER, "grype": "#!/bin/sh\n", "aws": "#!/bin/sh\necho password\n"}.items():
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    with registry.running(REAL / "registry", folder / "registry") as images, github.running(Path(os.environ["OPENAPI"])) as api:
        clone = Repository(folder / "clone", {
            "DELIVERY_TOOLS": str(folder / "tools"), "PATH": f"{tools}:{os.environ['PATH']}", "DOCKER_CONFIG": str(folder / "docker"),
            "CARGO_TARGET_DIR": str(ROOT / "target"), "PLAIN_HTTP": "1", **api.environment,
        })  # fmt: skip
        clone.git("tag", f"v{VERSION}")
        yield clone, images.address, api


def play(world, job: str, **values: str) -> dict[str, str]:
    """Runs the commands of a job of release.yml; what its steps gave as outputs."""
    clone, address, _ = world
    output, given = clone.folder.parent / "output", {}
    values |= {"github.repository": github.REPOSITORY, "github.repository_owner": github.REPOSITORY.split("/")[0], "github.token": "token"}
    for step, command, environment in workflows.commands("release.yml", job, values):
        output.write_text("")
        environment = {name: value.replace("ghcr.io", address) for name, value in environment.items()}
        done = clone.run("bash", "-eo", "pipefail", "-c", command, limit=3000, **environment, GITHUB_OUTPUT=str(output), GITHUB_REF_NAME=f"v{VERSION}")
        assert done.code == 0, (command, done)
        found = workflows.outputs(output.read_text())
        values |= {f"steps.{step}.outputs.{key}": value for key, value in found.items()}
        given |= found
    return given


def test_a_version_is_released(world):
    clone, address, api = world
    play(world, "check")
    play(world, "binary")
    commit, built = clone.git("rev-parse", "HEAD"), {}
    images = registry.Registry(address, github.REPOSITORY)
    for platform in ("amd64", "arm64"):
        clone.environment["BUILT"] = images.push(commit, platform)
        built |= play(world, "image", **{"matrix.platform": platform})
    digests = play(world, "publish", **{f"needs.image.outputs.{name}": digest for name, digest in built.items()})

    files = [f"birthday-api-{VERSION}-{TARGET}.tar.gz", f"birthday-api-chart-{VERSION}.tgz", f"birthday-api-{VERSION}.cdx.json", "SHA256SUMS"]
    assert sorted(api.assets) == sorted(files)
    sums = dict(reversed(line.split("  ")) for line in api.assets["SHA256SUMS"].decode().splitlines())
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in api.assets.items() if name != "SHA256SUMS"}
    packed = tarfile.open(fileobj=io.BytesIO(api.assets[files[0]])).getnames()
    assert sorted(name.rpartition("/")[2] for name in packed[1:]) == ["CHANGELOG.md", "LICENSE", "README.md", "Rocket.toml", "birthday-api"]
    crates = {component["name"] for component in json.loads(api.assets[files[2]])["components"]}
    assert crates > {"rocket", "sqlx"} and "proptest" not in crates

    (_, made, draft), (_, _, published) = api.sent
    assert made == "releases" and draft["tag_name"] == draft["name"] == f"v{VERSION}" and draft["draft"] and not published["draft"]
    section = (ROOT / "CHANGELOG.md").read_text().split(f"## [{VERSION}]")[1].split("\n", 1)[1].split("\n## ")[0]
    assert draft["body"].strip() == section.strip()

    assert images.tags() == {commit, VERSION}
    assert clone.run("crane", "digest", f"{address}/{github.REPOSITORY}:{VERSION}").out == built_digest(clone, address, commit)
    chart = f"{address}/{github.REPOSITORY.split('/')[0]}/charts/birthday-api:{VERSION}"
    assert clone.run("crane", "digest", chart).out == digests["digest"]
    shown = clone.run("helm", "template", "birthday-api", f"oci://{chart.removesuffix(':' + VERSION)}", "--version", VERSION, "--plain-http")
    assert f"birthday-api:{VERSION}" in shown.out, shown


def built_digest(clone: Repository, address: str, commit: str) -> str:
    return clone.run("crane", "digest", f"{address}/{github.REPOSITORY}:{commit}").out


@pytest.mark.parametrize(("tag", "why"), [("v9.9.9", "is not the version"), (VERSION, "is not the version")])
def test_another_tag_is_refused(world, tag, why):
    done = world[0].run("scripts/release", "notes", tag)
    assert done.code == 1 and why in done.err, done


def test_a_version_without_a_section_in_the_changelog_or_outside_main_is_refused(world):
    clone = world[0]
    clone.git("checkout", "-q", "-b", "other")
    try:
        for file, change, why in (("CHANGELOG.md", "# Changelog\n", "says nothing"), ("README.md", "changed", "not on main")):
            clone.commit("Change", **{file: change})
            if why == "says nothing":
                clone.git("push", "-q", "origin", "other:main")
            done = clone.run("scripts/release", "notes", f"v{VERSION}")
            assert done.code == 1 and why in done.err, done
    finally:
        clone.git("checkout", "-q", "main")


def test_cargo_installs_it_from_git(world, tmp_path):
    done = world[0].run("cargo", "install", "--quiet", "--debug", "--locked", "--git", f"file://{world[0].folder}", "--root", str(tmp_path), limit=3000)
    assert done.code == 0, done
    assert subprocess.run([tmp_path / "bin/birthday-api", "--version"], capture_output=True, text=True).stdout == f"birthday-api {VERSION}\n"


def test_the_settings_of_the_repository_are_what_github_takes(world):
    clone, _, api = world
    del api.sent[:]
    done = clone.run("scripts/github-settings", "42", "operations")
    assert done.code == 0, done
    paths = [path for _, path, _ in api.sent]
    assert paths.count("rulesets") == 2 and [path.split("/")[1] for path in paths if path.startswith("environments") and path.count("/") == 1] == ["delivery", "staging", "production"]
    [main] = [body for _, _, body in api.sent if body.get("name") == "main" and "rules" in body]
    assert main["bypass_actors"] == [{"actor_type": "Integration", "actor_id": 42, "bypass_mode": "always"}]
    [production] = [body for _, path, body in api.sent if path == "environments/production"]
    assert production["reviewers"] == [{"type": "Team", "id": 7}]
