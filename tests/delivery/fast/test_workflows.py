"""Workflows call scripts that exist, with roles that AWS grants, and no workflow triggers itself."""

import fnmatch
import json
import os
import re
import subprocess

import pytest
import yaml

from support import workflows
from support.repository import ROOT, VALUES

# Commands of programs that every runner has.
RUNNER = ("brew install bash", "gh auth setup-git", "gh pr comment", "cargo build", "just ", "sudo sysctl ", "test ", "echo ", "sed ")


def test_actionlint_reports_nothing():
    assert lint("actionlint") == ""


def test_zizmor_reports_nothing():
    assert "No findings to report" in lint("zizmor", "--offline", "--persona", "auditor", "--no-progress", ".github")


def lint(program: str, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()


def test_every_command_is_one_line_whose_programs_exist():
    for name, job, step in workflows.steps():
        for part in re.split(r" \| | && ", step.get("run", "")):
            [program] = re.findall(r"\$\(([\w/]+)", part) or part.split()[:1] or ["tee"]
            where = f"{name}: {job}: {part}"
            assert part.startswith(RUNNER) or program == "tee" or ("/" in program and os.access(ROOT / program, os.X_OK)), where
            assert "\n" not in part, f"more than a line belongs into scripts/: {where}"


def test_every_script_is_used_by_a_workflow_or_named_for_people():
    pages = ("CONTRIBUTING.md", "docs/runbooks/first-installation.md")
    used = " ".join([step.get("run", "") for _, _, step in workflows.steps()] + [(ROOT / page).read_text() for page in pages])
    internal = {"signature"}  # called by the other scripts
    assert SCRIPTS and not [name for name in SCRIPTS if f"scripts/{name}" not in used and name not in internal]


SCRIPTS = [path.name for path in sorted((ROOT / "scripts").iterdir()) if os.access(path, os.X_OK)]
DIGEST = "sha256:" + "1" * 64
WRONG = [
    "adopt", "adopt --repository name", "adopt --repository a/b --domain x --account 1", "set-image", "set-image staging", f"set-image test {DIGEST}",
    f"set-image staging {DIGEST} --force", "infrastructure plan", "infrastructure plan test", "infrastructure apply staging", "infrastructure destroy staging",
]  # fmt: skip


@pytest.mark.parametrize("command", WRONG + [f"{name} --what is this thing" for name in SCRIPTS])
def test_a_script_that_is_called_wrongly_explains_itself(command):
    done = subprocess.run([ROOT / "scripts" / command.split()[0], *command.split()[1:]], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == "" and re.match(rf"usage: .*{command.split()[0]}\b", done.stderr), done


def test_every_job_has_a_time_limit_and_a_runner_of_one_version():
    for name, job, found in workflows.jobs():
        assert "uses" in found or (0 < found["timeout-minutes"] <= 90 and "latest" not in found["runs-on"]), f"{name}: {job}"


def test_ci_allows_user_namespaces_before_it_runs_a_group():
    ran = [step["run"] for name, job, step in workflows.steps() if (name, job) == ("ci.yml", "run") and "run" in step]
    assert ran == ["sudo sysctl -q kernel.apparmor_restrict_unprivileged_userns=0", '.ci/run "$GROUP"']


def test_no_two_jobs_share_the_key_of_a_cache():
    """The first to end would save only its own programs: a cache is never added to."""
    keys = [step["with"]["key"].replace("github.job", job) for _, job, step in workflows.steps() if step.get("uses", "").startswith("actions/cache@")]
    assert len(keys) > 4 and len(keys) == len(set(keys)), keys


PINNED = {"cargo": "Cargo.lock", "rust-toolchain": "rust-toolchain.toml", "npm": "package-lock.json", "uv": "uv.lock", "pip": "requirements.txt", "terraform": ".terraform.lock.hcl", "docker": "bases.Dockerfile", "docker-compose": "docker-compose.yml"}


@pytest.mark.parametrize("kind, name", PINNED.items())
def test_dependabot_looks_wherever_something_is_pinned(kind, name):
    tracked = subprocess.run(["git", "ls-files", f"*{name}"], cwd=ROOT, text=True, capture_output=True, check=True).stdout.split()
    updates = [one for one in yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"] if one["package-ecosystem"] == kind]
    found = [folder for one in updates for folder in one.get("directories", [one.get("directory")])]
    folders = [path.rpartition("/")[0] for path in tracked]
    # it reads no links: docs/delivery.md says to update these by hand
    assert sorted(found) == sorted(f"/{folder}" for folder in folders if not (ROOT / folder / "versions.tf").is_symlink())


def test_compose_names_every_image_by_an_exact_tag_and_as_text():
    """Such a tag always leads to the same image. Dependabot raises an error if an anchor or an alias is there instead."""
    images = re.findall(r"^ +image: (.*)", (ROOT / "docker-compose.yml").read_text(), re.M)
    assert images and not [image for image in images if not re.fullmatch(r"[\w/-]+:v?\d+\.\d+(\.\d+)?(-\w+)?", image)]


def test_the_one_secret_is_the_key_that_may_push_to_main():
    text = "".join((workflows.FOLDER / name).read_text() for name in workflows.names())
    assert set(re.findall(r"secrets\.(\w+)", text)) == {"DELIVERY_APP_KEY"}


def subjects() -> dict[str, set[str]]:
    """Role => the subjects that it trusts (terraform/bootstrap/github.tf)."""
    text = (ROOT / "terraform/bootstrap/github.tf").read_text()
    block = re.search(r"ci_subjects = \{(.*?)\n  \}", text, re.S)[1]
    return {role: set(re.findall(r'"(.*?)"', values)) for role, values in re.findall(r"([\w-]+) += \[(.*?)\]", block)}


def events(name: str, condition: str = "") -> set[str]:
    """The token subjects that GitHub signs for a job of the workflow without an environment. Manual and nightly runs are on main."""
    if condition.split(" && ")[0] in ("github.event_name == 'push'", "github.ref == 'refs/heads/main'"):
        return {"ref:refs/heads/main"}
    on = workflows.workflow(name)["on"]
    assert (on.get("push") or {}).get("branches", ["main"]) == ["main"]
    own = {"pull_request" if event == "pull_request" else "ref:refs/heads/main" for event in on if event != "workflow_call"}
    return own.union(*(events(caller, found.get("if", "")) for caller, _, found in workflows.jobs() if found.get("uses", "").endswith(f"/{name}")))


def test_aws_trusts_every_job_that_takes_a_role():
    taken = set()
    for name, job, found in workflows.jobs():
        for step in found.get("steps", []):
            if not step.get("uses", "").startswith("aws-actions/configure-aws-credentials"):
                continue
            named = re.findall(r"\bvars\.AWS_([A-Z]+)_ROLE(_[A-Z]+)?\b", step["with"]["role-to-assume"])
            roles = {(role + environment).lower().replace("_", "-") for role, environment in named}
            taken |= roles
            signed = {f"environment:{found['environment']}"} if "environment" in found else events(name, found.get("if", ""))
            assert all(signed <= subjects()[role] for role in roles), f"{name}: {job} as {roles}"
            assert found["permissions"]["id-token"] == "write"
            if "apply-production" in roles and "drift" not in job:
                approval = workflows.workflow(name)["jobs"][found["needs"]]
                assert approval["environment"] == "${{ inputs.environment }}" and approval["permissions"] == {}
    assert taken == set(subjects())


def test_no_run_applies_an_older_tree_than_main():
    """GitHub repeats a run with its old commit."""
    found = [(name, job, steps["steps"]) for name, job, steps in workflows.jobs() if job != "newest" and "scripts/infrastructure" in str(steps)]
    assert {job for _, job, _ in found} == {"plan", "apply", "drift"}
    for name, job, steps in found:
        assert steps[0]["with"].get("ref") in ("main", "${{ github.ref }}"), f"{name}: {job}"


def test_pull_requests_of_two_forks_do_not_cancel_each_other():
    for name in (name for name in workflows.names() if "pull_request" in workflows.workflow(name)["on"]):
        assert workflows.workflow(name)["concurrency"]["group"].startswith(f"{name.removesuffix('.yml')}-${{{{ github.event.pull_request.number"), name


def test_no_job_that_may_publish_builds_crates():
    """Every build script would have the job's rights."""
    for name, job, step in workflows.steps():
        if re.match(r"scripts/release (archive|sbom) ", step.get("run", "")):
            assert workflows.workflow(name)["jobs"][job]["permissions"] == {"contents": "read"}, f"{name}: {job}"


def test_every_script_uses_the_pinned_programs():
    tools = re.findall(r"^    ([\w-]+)\) (?:go|cargo)_tool", (ROOT / "tools/get").read_text(), re.M)
    for name in SCRIPTS:
        text = (ROOT / "scripts" / name).read_text()
        used = set(re.findall(rf"(?:^|[|(;&{{]|then|else) *({'|'.join(tools)}) ", text, re.M))
        assert used <= set(" ".join(re.findall(r"need_tools (.*)", text)).split()), name


def test_main_takes_reviewed_and_tested_pull_requests_and_the_delivery_s_commits():
    ruleset = json.loads((ROOT / ".github/rulesets/main.json").read_text())
    rules = {rule["type"]: rule.get("parameters") for rule in ruleset["rules"]}
    assert rules["pull_request"]["require_code_owner_review"]
    [check] = rules["required_status_checks"]["required_status_checks"]
    assert check["context"] == workflows.workflow("ci.yml")["jobs"]["passed"]["name"]
    deploy = workflows.workflow("deploy.yml")["jobs"]["deploy"]
    assert deploy["environment"] == "delivery" and deploy["permissions"] == {"contents": "read", "id-token": "write"}


def starts(name: str, path: str) -> bool:
    """Whether a push to main that changes this path alone starts the workflow."""
    push = workflows.workflow(name)["on"].get("push")
    if push is None:
        return False
    matches = lambda patterns: any(fnmatch.fnmatch(path, pattern.replace("**", "*")) for pattern in patterns)  # noqa: E731
    return matches(push["paths"]) if "paths" in push else not matches(push.get("paths-ignore", []))


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_what_the_delivery_commits_starts_no_image_and_no_apply(environment):
    assert not starts("image.yml", VALUES.format(environment))
    assert not starts("terraform.yml", VALUES.format(environment))


def test_every_commit_on_main_is_tested_once():
    image, ci = workflows.workflow("image.yml")["on"]["push"], workflows.workflow("ci.yml")["on"]["push"]
    assert [*image["paths"], VALUES.format("staging")] == ci["paths-ignore"]
    assert workflows.workflow("image.yml")["jobs"]["test"]["uses"] == "./.github/workflows/ci.yml"
    assert "test" in workflows.workflow("image.yml")["jobs"]["publish"]["needs"]


def test_everything_that_the_image_is_made_of_makes_a_new_image():
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    for path in (line.removeprefix("!") for line in ignore if line.startswith("!")):
        assert starts("image.yml", path if (ROOT / path).is_file() else f"{path}/any/file"), path
    assert starts("image.yml", "Dockerfile") and starts("image.yml", "scripts/bases.Dockerfile")


def test_the_groups_of_ci_are_those_of_the_script():
    script = (ROOT / ".ci/run").read_text()
    more = json.loads(workflows.workflow("nightly.yml")["jobs"]["everything"]["with"]["more"])
    for group in workflows.workflow("ci.yml")["jobs"]["run"]["strategy"]["matrix"]["group"] + [one["group"] for one in more]:
        assert re.search(rf"^{group}(\(\)| +\d+ )", script, re.M), group


def test_what_a_group_of_ci_depends_on_exists():
    listed = re.search(r"^service=.*?\n\"\n", (ROOT / ".ci/run").read_text(), re.M | re.S)[0]
    paths = set(re.findall(r"[\w./-]+", re.sub(r"#.*|\$\w+|^\w+=|^\w+ +\d+", "", listed, flags=re.M)))
    assert len(paths) > 40 and not [path for path in paths if not (ROOT / path).exists()]


def test_what_the_justfile_calls_nightly_runs_at_night():
    nightly = re.findall(r"^\[group\('nightly'\)\]\n(?:\[.*\n)*(\w+)", (ROOT / "justfile").read_text(), re.M)
    commands = " ".join(step.get("run", "") for name, _, step in workflows.steps() if name == "nightly.yml")
    assert len(nightly) == 3 and not [name for name in nightly if name not in commands]


def owners(path: str) -> str:
    """The last pattern of CODEOWNERS that matches counts."""
    lines = [line.split() for line in (ROOT / ".github/CODEOWNERS").read_text().splitlines() if line and not line.startswith("#")]
    return [them for pattern, *them in lines if pattern == "*" or f"/{path}".startswith(pattern)][-1]


def test_production_and_the_way_to_it_belong_to_operations():
    for path in (VALUES.format("production"), ".github/workflows/deploy.yml", "scripts/set-image", "tools/get", "terraform/bootstrap/github.tf"):
        assert [owner.split("/")[1] for owner in owners(path)] == ["operations"], path
    assert owners("src/main.rs") and owners(VALUES.format("staging")) == []
