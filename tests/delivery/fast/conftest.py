import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import registry as registries
from support import repository as repositories
from support.registry import Registry
from support.repository import ROOT, Repository

REAL = Path(os.environ["DELIVERY_REAL_TOOLS"])


class Tools:
    """What the scripts find in their PATH first: the real pinned crane, and stand-ins that a test writes."""

    def __init__(self, base: Path):
        self.base, self.folder = base, base / "bin"
        self.folder.mkdir(parents=True)
        self.real("crane")

    def real(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)
        (self.folder / name).symlink_to(REAL / name)

    def stand_in(self, name: str, script: str = "") -> None:
        """`script` in sh instead of the program; `calls` tells what it was asked."""
        (self.folder / name).write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>{self.base}/{name}\n{script}\n')
        (self.folder / name).chmod(0o755)

    def calls(self, name: str) -> list[str]:
        log = self.base / name
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture(scope="session")
def address(tmp_path_factory) -> Iterator[str]:
    with registries.running(REAL / "registry", tmp_path_factory.mktemp("registry")) as running:
        yield running.address


@pytest.fixture
def registry(address: str, tmp_path: Path) -> Registry:
    """Where this test's images are."""
    return Registry(address, tmp_path.name.strip("_").lower())


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    """Everything is signed, nothing is vulnerable and staging serves what it holds, unless a test says otherwise."""
    tools = Tools(tmp_path / "tools")
    tools.stand_in("cosign")
    tools.stand_in("grype")
    tools.stand_in("gh", "case $2 in */statuses) echo success ;; esac")
    return tools


@pytest.fixture
def environment(registry: Registry, tools: Tools, tmp_path: Path) -> dict[str, str]:
    return {
        "IMAGE_REPOSITORY": registry.repository,
        "BIRTHDAY_TOOLS": str(tools.folder),
        "PATH": f"{tools.folder}:{os.environ['PATH']}",
        "DOCKER_CONFIG": str(tmp_path / "docker"),
    }


@pytest.fixture(scope="session")
def as_it_is(tmp_path_factory) -> Path:
    return repositories.server(tmp_path_factory.mktemp("server"), ["scripts", "tools", "gitops/environments", "Cargo.toml"])


@pytest.fixture
def clone(as_it_is: Path, tmp_path: Path, environment: dict[str, str]) -> Repository:
    """A person's clone of a repository with this one's scripts and values. What the scripts write is seen on its server."""
    subprocess.run(["git", "clone", "-q", "--bare", as_it_is, tmp_path / "server.git"], check=True)
    subprocess.run(["git", "clone", "-q", tmp_path / "server.git", tmp_path / "clone"], check=True)
    return Repository(tmp_path / "clone", environment)


TERRAFORM = """
resource "terraform_data" "one" { input = "%s" }
output "input" { value = terraform_data.one.output }
"""


@pytest.fixture
def root(clone: Repository) -> Path:
    """A root module of staging that makes nothing; where its zip files would be made is noted in the file `packaged`."""
    root = clone.folder / "terraform/environments/staging"
    root.mkdir(parents=True)
    (root / "main.tf").write_text(TERRAFORM % "first")
    package = clone.folder / "terraform/package"
    package.write_text(f"#!/bin/sh\ntouch {clone.folder}/packaged\n")
    package.chmod(0o755)
    clone.environment["CHECKPOINT_DISABLE"] = "1"
    return root


@pytest.fixture
def commits(clone: Repository) -> list[str]:
    """Three commits on main, the oldest first."""
    made = [clone.commit(f"Change {n}") for n in range(3)]
    clone.git("push", "-q", "origin", "main")
    return made


@pytest.fixture
def images(commits: list[str], registry: Registry) -> list[str]:
    """The digests of an image of each commit."""
    return [registry.push(commit) for commit in commits]
