"""Fixtures for changes on their way from a commit to production."""

import os
import sys
from pathlib import Path

import pytest

from support import github, registry as registries
from support.chain import Chain
from support.repository import ROOT, Repository

WORK = Path(os.environ["WORK"])

if "ENVIRONMENT" in os.environ:
    # sets an environment up on a cluster, as gitops' own tests do
    sys.path.insert(0, str(ROOT / "gitops/tests"))
    from cluster.conftest import applications, bridge, environment, installed, repository  # noqa: F401


@pytest.fixture(scope="session")
def api():
    with github.running(Path(os.environ["OPENAPI"]), WORK) as running:
        yield running


@pytest.fixture(scope="session")
def images():
    """The registry. Each process restarts it with the same images."""
    with registries.running(WORK / "registry") as running:
        yield running


@pytest.fixture(scope="session")
def clone(api, images) -> Repository:
    """A developer's clone. The signing key replaces the workflow's identity, which only GitHub can certify."""
    return Repository(WORK / "clone", {
        "IMAGE_REPOSITORY": images.repository, "BASES": str(WORK / "bases.Dockerfile"), "COSIGN_PASSWORD": "",
        "SIGNING_KEY": str(WORK / "cosign.key"), "ATTESTATIONS": "none", "BIRTHDAY_TOOLS": str(WORK / "tools/bin"), **api.environment,
    })  # fmt: skip


@pytest.fixture(scope="session")
def chain() -> Chain:
    return Chain(WORK)
