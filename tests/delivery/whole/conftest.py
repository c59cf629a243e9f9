"""One change on its way. What was seen is printed, and kept for the end."""

import json
import os
import sys
import time
from pathlib import Path

import pytest

from support.repository import ROOT, Repository

WORK = Path(os.environ["WORK"])
REGISTRY = os.environ["REGISTRY"]

if "ENVIRONMENT" in os.environ:
    # an environment on a cluster is brought up as gitops' own tests do it
    sys.path.insert(0, str(ROOT / "gitops/tests"))
    from cluster.conftest import applications, argo_cd, charts, environment, installed, monitoring, repository  # noqa: F401


@pytest.fixture(scope="session")
def clone() -> Repository:
    """A developer's clone. The key stands for the workflow's identity, which only GitHub can vouch for."""
    return Repository(WORK / "clone", {
        "IMAGE_REPOSITORY": f"{REGISTRY}/birthday-api", "BASES": str(WORK / "bases.Dockerfile"), "COSIGN_PASSWORD": "",
        "SIGNING_KEY": str(WORK / "cosign.key"), "ATTESTATIONS": "none", "DELIVERY_TOOLS": str(WORK / "tools"),
    })  # fmt: skip


class Chain:
    """What the links of the chain handed on, from one test to the next and from one cluster to the other."""

    def __init__(self):
        self.file, self.text = WORK / "handed-on.json", WORK / "chain"
        self.began = (WORK / "registry.json").stat().st_mtime

    def __getitem__(self, name: str) -> str:
        return json.loads(self.file.read_text())[name]

    def __setitem__(self, name: str, value: str) -> None:
        kept = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.file.write_text(json.dumps(kept | {name: value}))

    def saw(self, what: str) -> None:
        line = f"{time.time() - self.began:5.0f} s  {what}"
        print(f"\n{line}", flush=True)
        with self.text.open("a") as text:
            text.write(line + "\n")


@pytest.fixture(scope="session")
def chain() -> Chain:
    return Chain()
