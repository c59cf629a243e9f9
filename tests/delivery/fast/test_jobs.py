"""The commands of the workflows, taken from their files and run in their order, as a runner would run them."""

import pytest

from support import workflows
from support.registry import DOCKER


@pytest.fixture
def play(clone, registry, tools):
    """Arguments: workflow, job, values of expressions."""
    tools.stand_in("aws", "echo word")
    tools.stand_in("docker", DOCKER)
    values = {
        "vars.IMAGE_REPOSITORY": registry.repository, "vars.GITOPS_REPOSITORY": "", "steps.app.outputs.token": "token", "github.token": "token",
    }  # fmt: skip
    return lambda name, job, **more: workflows.play(clone, name, job, values | more, limit=120)


def what(value: str) -> dict[str, str]:
    starts = {f"startsWith(inputs.what, '{word} ')": str(value.startswith(f"{word} ")).lower() for word in ("promote", "rollback")}
    return {"inputs.what": value, "inputs.what == 'staging'": str(value == "staging").lower(), **starts}


def test_from_a_merge_to_production_and_back(play, clone, registry, tools):
    released = []
    for change in ("first", "second"):
        commit = clone.commit(change)
        clone.git("push", "-q", "origin", "main")
        built = {}
        for platform in ("amd64", "arm64"):
            clone.environment["BUILT"] = registry.push(commit, platform)
            built |= play("image.yml", "build", **{"matrix.platform": platform})
        outputs = play("image.yml", "publish", **{f"needs.build.outputs.{name}": digest for name, digest in built.items()})
        assert len(built) == 2 and registry.tags() >= {commit}
        assert tools.calls("cosign")[-1] == f"sign --yes {registry.repository}@{outputs['digest']}"
        play("deploy.yml", "deploy", **what("staging"), **{"inputs.digest": outputs["digest"]})
        assert clone.digest("staging") == outputs["digest"]
        released.append(outputs["digest"])
    assert clone.git("log", "-1", "--format=%an", "origin/main") == "delivery"

    play("deploy.yml", "deploy", **what("promote image"), **{"inputs.digest": ""})
    assert clone.digest("production", f"origin/deliver/{released[1][7:19]}") == released[1]
    play("deploy.yml", "deploy", **what("rollback staging"), **{"inputs.digest": ""})
    assert clone.digest("staging") == released[0]
    assert tools.calls("aws").count("ecr get-login-password") == 2 * 4 + 2


def test_what_by_hand_can_be_chosen_is_what_the_job_knows():
    options = workflows.workflow("deploy.yml")["on"]["workflow_dispatch"]["inputs"]["what"]["options"]
    for option in options:
        conditions = what(option)
        steps = [step for step in workflows.workflow("deploy.yml")["jobs"]["deploy"]["steps"] if "scripts/" in step.get("run", "") and "if" in step]
        assert [conditions[step["if"]] for step in steps].count("true") == 1, option


def test_the_images_that_run_are_scanned_at_night(play, tools):
    for environment in ("staging", "production"):
        play("nightly.yml", "images", **{"matrix.environment": environment})
    assert tools.calls("gh") == ["auth setup-git"] * 2, "a private repository is fetched with a login"
    assert workflows.workflow("nightly.yml")["jobs"]["images"]["steps"][0]["with"]["fetch-depth"] == 0, "the commit of the image must be there"


def test_a_plan_is_agreed_to_and_applied(play, clone, root):
    outputs = play("terraform.yml", "plan", **{"matrix.environment": "staging"})
    assert outputs["staging"].startswith("### staging") and outputs["staging"] == (clone.folder.parent / "summary").read_text().strip()
    play("terraform-apply.yml", "apply", **{"inputs.environment": "staging", "inputs.changes": outputs["staging-changes"]})
    assert '"first"' in (root / "terraform.tfstate").read_text()
    assert play("terraform.yml", "plan", **{"matrix.environment": "staging"})["staging-changes"] == "none"
    play("nightly.yml", "drift", **{"matrix.environment": "staging"})
