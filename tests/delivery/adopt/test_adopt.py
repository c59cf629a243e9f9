"""scripts/adopt on a copy of the tree: no name of the old owner stays, and the fast checks of every folder pass."""

import os
import subprocess

import pytest

from support.repository import PERSON, ROOT, Repository
from support.tools import Tools

REPOSITORY, DOMAIN, ACCOUNT, REGION = "Your-Org/birthdays", "birthday.your-domain.org", "222222222222", "eu-central-1"
# what .ci/run core runs in each folder, except for the service itself; the last two need the build
CHECKS = [
    "cargo fmt --check", "terraform fmt -check -recursive terraform", "tests/links", "tests/delivery/run fast", "terraform/tests/run fast",
    "gitops/tests/run fast", "cargo build --locked --quiet --bins --examples", "just observability-fast", "just runbooks",
]  # fmt: skip


@pytest.fixture(scope="module")
def adopted(tmp_path_factory) -> Repository:
    folder = tmp_path_factory.mktemp("adopted")
    subprocess.run(["git", "clone", "-q", ROOT, folder / "tree"], check=True)
    # a stand-in for AWS' list of certificate authorities
    bundle = ""
    for kind, days in (("ECC384", "36500"), ("RSA2048", "14600"), ("RSA4096", "36400")):
        subject = ["-subj", f"/CN=Amazon RDS {REGION} Root CA {kind} G1", "-newkey", "rsa:2048", "-nodes", "-days", days]
        made = subprocess.run(["openssl", "req", "-x509", *subject, "-keyout", "/dev/null"], check=True, capture_output=True, text=True)
        bundle += made.stdout
    (folder / "bundle").write_text(bundle)
    tools = Tools(folder / "tools")
    tools.stand_in("curl", f"cat {folder}/bundle")
    tree = Repository(folder / "tree", tools.environment)
    arguments = ["--repository", REPOSITORY, "--domain", DOMAIN, "--account", ACCOUNT, "--region", REGION]
    arguments += ["--people", "people@your-domain.org", "--address", "198.51.100.7/32"]
    done = tree.run("scripts/adopt", *arguments)
    assert done.code == 0, done
    tree.commit("Make it ours")
    return tree


def test_nothing_of_the_former_owner_stays(adopted):
    left = adopted.run("git", "grep", "-nE", r"(github\.com|ghcr\.io)/birthday-api\b|@birthday-api/|-state-1{12}|\"birthday-api/birthday-api\"$", "--", ":!tests/delivery/adopt")
    assert left.out == ""
    settings = [*adopted.folder.glob("terraform/**/*.tfvars"), *adopted.folder.glob("terraform/**/backend.tf")]
    text = "".join(file.read_text() for file in settings)
    assert "eu-west-1" not in text and "birthday.example.com" not in text
    for times, value in (
        (3, f'"birthday-terraform-state-{ACCOUNT}"'), (4, f'"{DOMAIN}"'), (1, f'"staging.{DOMAIN}"'), (3, f'"{REPOSITORY}"'),
        (2, '["198.51.100.7/32"]'), (3, '["people@your-domain.org"]'),
    ):  # fmt: skip
        assert text.count(value) == times, value
    assert f"ghcr.io/{REPOSITORY.lower()}" in (adopted.folder / "gitops/charts/birthday-api/values.yaml").read_text()


@pytest.mark.parametrize("check", CHECKS)
def test_the_fast_checks_pass(adopted, check):
    log = adopted.folder.parent / "log"
    # reuses the compiled crates of this tree
    environment = os.environ | PERSON | {"CARGO_TARGET_DIR": str(ROOT / "target")}
    with log.open("w") as out:
        done = subprocess.run(check.split(), cwd=adopted.folder, env=environment, stdout=out, stderr=out, timeout=1800)
    assert done.returncode == 0, log.read_text()[-6000:]
