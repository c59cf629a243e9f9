"""A commit is tested, becomes an image on a real engine, and staging's values name it."""

import re
import subprocess

import pytest
from conftest import WORK

from support import repository as repositories
from support.repository import ROOT, VALUES, Repository
from support.tools import Tools


def ok(result) -> str:
    assert result.code == 0, result
    return result.out


@pytest.fixture(scope="module", autouse=True)
def ground(clone):
    """The repository on its server, keys, tools, and the list of base images."""
    repositories.server(WORK)
    subprocess.run(["git", "clone", "-q", WORK / "origin.git", WORK / "clone"], check=True)
    for environment in ("staging", "production"):
        # the controller's shortest interval, so that a canary takes one minute and not ten
        values = clone.folder / VALUES.format(environment)
        values.write_text(re.sub(r"\ncanary:\n(  .*\n)+", "", values.read_text()) + "\ncanary: {interval: 10s}\n")
    clone.commit("Shorten the canaries")
    clone.git("push", "-q", "origin", "main")
    subprocess.run(["cosign", "generate-key-pair"], cwd=WORK, env=clone.environment, check=True, capture_output=True)
    # scanning looks vulnerabilities up on the internet, so it is not part of this path
    Tools(WORK / "tools", "crane", "cosign").stand_in("grype")
    # no registry here has the public base images by digest: use the engine's own images of those tags
    bases = (ROOT / "scripts/bases.Dockerfile").read_text()
    (WORK / "bases.Dockerfile").write_text(re.sub(r"@sha256:[0-9a-f]{64}", "", bases))


def release(clone: Repository, chain, images, name: str, change: str) -> str:
    settings = clone.folder / "Rocket.toml"
    commit = clone.commit(change, **{"Rocket.toml": f"{settings.read_text()}# {change}\n"})
    clone.git("push", "-q", "origin", "main")
    chain.saw(f"commit      {commit[:12]} on main: {change}")
    ok(clone.run("cargo", "test", "--locked", "--quiet", "--lib", limit=1800, CARGO_TARGET_DIR=str(ROOT / "target")))
    chain.saw("tests       of the library pass")
    platform = ok(clone.run("scripts/release-image", "build", "linux/amd64", limit=2400))
    digest = ok(clone.run("scripts/release-image", "publish", platform, limit=300))
    ok(clone.run("scripts/signature", "sign", digest))
    assert ok(clone.run("crane", "digest", f"{images.repository}:{commit}")) == digest
    chain.saw(f"image       {digest} in the registry, signed, tagged {commit[:12]}")
    chain[name] = digest
    return digest


def test_a_commit_becomes_an_image(clone, chain, images):
    release(clone, chain, images, "first", "The first change")


def test_an_image_without_a_signature_gets_nowhere(clone, chain, images):
    """The same image, pushed again without the release scripts."""
    copy = f"{images.address}/unsigned"
    ok(clone.run("crane", "copy", f"{images.repository}@{chain['first']}", f"{copy}:copy"))
    done = clone.run("scripts/set-image", "staging", chain["first"], IMAGE_REPOSITORY=copy)
    assert done.code == 1 and "has no valid signature" in done.err, done


def test_the_digest_is_written_into_the_values_of_staging(clone, chain):
    ok(clone.run("scripts/set-image", "staging", chain["first"]))
    assert clone.digest("staging") == chain["first"]
    chain.saw(f"staging     values name it, commit {clone.git('rev-parse', '--short=12', 'origin/main')}")


def test_it_is_promoted_before_the_next_one_comes(clone, chain, api):
    done = clone.run("scripts/promote")
    assert done.code == 1 and "staging has not reported" in done.err, done
    # the report of a cluster that does not exist yet
    api.add(clone.git("rev-parse", "origin/main"), {"context": f"staging/{chain['first']}", "state": "success"})
    ok(clone.run("scripts/promote"))
    clone.merge(chain["first"])
    assert clone.digest("production") == chain["first"]
    chain.saw("production  the pull request of the first release is merged: there is something to go back to")


def test_a_second_commit_becomes_a_second_image(clone, chain, images):
    assert release(clone, chain, images, "second", "The second change") != chain["first"]
