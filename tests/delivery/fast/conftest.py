import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import registry as registries
from support import repository as repositories
from support.registry import Registry
from support.repository import Repository
from support.tools import Tools


@pytest.fixture(scope="session")
def address(tmp_path_factory) -> Iterator[str]:
    with registries.running(tmp_path_factory.mktemp("registry")) as running:
        yield running.address


@pytest.fixture
def registry(address: str, tmp_path: Path) -> Registry:
    """A separate repository for this test's images."""
    return Registry(address, tmp_path.name.strip("_").lower())


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    """Everything is signed, nothing is vulnerable and staging serves what it holds, unless a test says otherwise."""
    tools = Tools(tmp_path / "tools", "crane")
    tools.stand_in("cosign")
    tools.stand_in("grype")
    tools.stand_in("gh", "case $2 in */statuses) echo success ;; esac")
    return tools


@pytest.fixture
def environment(registry: Registry, tools: Tools) -> dict[str, str]:
    return {"IMAGE_REPOSITORY": registry.repository, **tools.environment}


@pytest.fixture(scope="session")
def as_it_is(tmp_path_factory) -> Path:
    return repositories.server(tmp_path_factory.mktemp("server"), ["scripts", "tools", "gitops/environments", "Cargo.toml", "Cargo.lock"])


@pytest.fixture
def clone(as_it_is: Path, tmp_path: Path, environment: dict[str, str]) -> Repository:
    """A developer's clone of a repository with this one's scripts and values. What the scripts push is on its server."""
    subprocess.run(["git", "clone", "-q", "--bare", as_it_is, tmp_path / "server.git"], check=True)
    subprocess.run(["git", "clone", "-q", tmp_path / "server.git", tmp_path / "clone"], check=True)
    return Repository(tmp_path / "clone", environment)


TERRAFORM = """
resource "terraform_data" "one" { input = "%s" }
output "input" { value = terraform_data.one.output }
"""


@pytest.fixture
def root(clone: Repository) -> Path:
    """A root module of staging that creates nothing. Instead of zip files, terraform/package creates the file `packaged`."""
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
    """The digest of an image of each commit."""
    return [registry.push(commit) for commit in commits]
