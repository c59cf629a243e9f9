"""scripts/infrastructure with the real Terraform on a root that makes nothing: what is agreed to is what is applied."""

import pytest

from support.repository import ROOT, Repository

MAIN = """
resource "terraform_data" "one" { input = "%s" }
output "input" { value = terraform_data.one.output }
"""
SOURCE = "terraform/environments/staging/main.tf"


@pytest.fixture
def work(clone) -> Repository:
    root = clone.folder / "terraform/environments/staging"
    root.mkdir(parents=True)
    (root / "main.tf").write_text(MAIN % "first")
    package = clone.folder / "terraform/package"
    package.write_text(f"#!/bin/sh\ntouch {clone.folder}/packaged\n")
    package.chmod(0o755)
    clone.environment["CHECKPOINT_DISABLE"] = "1"
    return clone


def infrastructure(work: Repository, *arguments: str):
    return work.run("scripts/infrastructure", *arguments, limit=120)


def planned(work: Repository) -> str:
    done = infrastructure(work, "plan", "staging")
    assert done.code == 0, done
    return done.out.splitlines()[-1].removeprefix("Changes: ")


def state(work: Repository) -> str:
    file = work.folder / "terraform/environments/staging/terraform.tfstate"
    return file.read_text() if file.exists() else ""


def test_a_plan_reads_as_markdown_and_changes_nothing(work):
    done = infrastructure(work, "plan", "staging")
    assert done.out.startswith("### staging\n") and "Plan: 1 to add, 0 to change, 0 to destroy." in done.out
    assert 'resource "terraform_data" "one"' in done.out and done.out.count("```") == 2
    assert state(work) == "" and (work.folder / "packaged").exists()


def test_what_was_agreed_to_is_applied_and_then_there_is_nothing_to_do(work):
    agreed = planned(work)
    done = infrastructure(work, "apply", "staging", agreed)
    assert done.code == 0 and '"first"' in state(work), done
    assert planned(work) == "none"
    (work.folder / SOURCE).write_text(MAIN % "second")
    assert planned(work) not in ("none", agreed)


def test_changes_that_nobody_agreed_to_are_not_applied(work):
    agreed = planned(work)
    (work.folder / SOURCE).write_text(MAIN % "something else")
    done = infrastructure(work, "apply", "staging", agreed)
    assert done.code == 1 and "nothing is applied" in done.err
    assert state(work) == ""


def test_a_long_plan_fits_into_a_comment(work):
    (work.folder / SOURCE).write_text("".join(f'resource "terraform_data" "r{n}" {{ input = "x" }}\n' for n in range(600)))
    done = infrastructure(work, "plan", "staging")
    assert done.code == 0 and 20_000 < len(done.out) < 32_000
    assert "Plan: 600 to add" in done.out and done.out.count("```") == 2


@pytest.mark.parametrize("arguments", [[], ["plan"], ["plan", "test"], ["apply", "staging"], ["plan", "staging", "x"], ["destroy", "staging"]])
def test_explains_itself(work, arguments):
    assert infrastructure(work, *arguments).code == 2


def test_the_environments_are_those_that_exist():
    assert {path.name for path in (ROOT / "terraform/environments").iterdir()} == {"staging", "production"}
