"""All runbooks have one form, and their commands run as pasted: they parse, and every variable is defined on the page or by `prepare`."""

import re
import subprocess

import pytest
import yaml
from runbooks import ALL, FOLDER, ROOT, blocks, code, text_of

SECTIONS = ["What it means", "Prepare", "Look", "Do", "Check", "Go back"]
PROGRAM = re.compile(r"(?:ask|aws|curl|docker|gh|git|kubectl|terraform)\s|(?:scripts|terraform|gitops)/\S+\s")


@pytest.mark.parametrize("runbook", ALL)
def test_a_runbook_has_the_form(runbook):
    text = text_of(runbook)
    assert re.match(r"# .+\n\n\| severity \| .+ \|\n\|---\|---\|\n\| call \| .+ \|\n\| time \| .+ \|\n\n## ", text)
    assert re.findall(r"^## (.+)$", text, re.M) == SECTIONS
    assert [section for section in re.split(r"^## ", text, flags=re.M)[1:] if len(section.splitlines()) < 3] == []


@pytest.mark.parametrize("runbook", ALL)
def test_its_commands_run_as_pasted(runbook, tmp_path):
    """shellcheck follows `prepare`: SC1072 and SC1073 are syntax errors, SC2154 is an undefined variable."""
    inline = [command for command in code(runbook).splitlines() if PROGRAM.match(command) and command not in "\n".join(blocks(runbook))]
    script = "\n".join([*blocks(runbook), *inline])
    assert "AWS_REGION=" in script or "source docs/runbooks/prepare " in script
    assert not re.search(r"(?<!<)<[a-z][a-z ]*>", "\n".join(blocks(runbook))), "a placeholder does not run"
    (tmp_path / "page.sh").write_text(f"#!/usr/bin/env bash\n{script}\n")
    checked = subprocess.run(
        ["shellcheck", "--external-sources", "--include=SC1009,SC1072,SC1073,SC2154", tmp_path / "page.sh"], cwd=ROOT, text=True, capture_output=True
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_prepare_sets_what_it_promises(environment, tmp_path):
    settings = dict(re.findall(r'^(\w+) += "(.+)"', (ROOT / f"terraform/environments/{environment}/terraform.tfvars").read_text(), re.M))
    for name, answer in {"aws": "echo 123456789012", "kubectl": 'echo "${KUBECONFIG##*/}: kubectl $*"'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{answer}\n")
        (tmp_path / name).chmod(0o755)
    asked = 'source docs/runbooks/prepare "$0" && echo "$AWS_REGION $environment $name $domain $account" && ask up'
    done = subprocess.run(["bash", "-euc", asked, environment], cwd=ROOT, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, text=True, capture_output=True)
    _, values, query = done.stdout.splitlines()
    assert values == f"{settings['region']} {environment} birthday-{environment} {settings['domain_name']} 123456789012"
    assert query.startswith(f"birthday-{environment}: "), "a file of its own: another terminal's `prepare` must not turn this one's kubectl"
    assert query.endswith("promtool query instant http://localhost:9090 up")


def test_prepare_without_an_environment_changes_nothing():
    done = subprocess.run(["bash", "-c", 'source docs/runbooks/prepare; echo "$? ${name-unset}"'], cwd=ROOT, text=True, capture_output=True)
    assert (done.stdout, done.stderr) == ("2 unset\n", "usage: source docs/runbooks/prepare <staging|production>\n")


def test_the_index_names_every_runbook_and_every_alarm():
    index = (FOLDER / "README.md").read_text()
    assert [runbook for runbook in ALL if f"]({runbook}.md)" not in index] == []
    rules = [yaml.safe_load(file.read_text()) for file in (ROOT / "gitops/platform/observability/rules").glob("*.yaml")]
    alerts = {rule["alert"] for item in rules for group in item["spec"]["groups"] for rule in group["rules"] if "alert" in rule}
    terraform = "".join(file.read_text() for file in (ROOT / "terraform/modules/observability").glob("*alarms.tf"))
    alarms = re.findall(r'^\s+"?([a-z-]+)(?:\$\{[^}]*\})?"? (?:= \{|=> \{)\n\s+why ', terraform.replace('${index == 0 ? "" : "-replica"}', ""), re.M)
    assert len(alerts) > 20 and len(alarms) > 18
    assert [name for name in [*alerts, *alarms] if not re.search(rf"\b{name}\b", index)] == []
    [categories] = re.findall(r"event_categories = \[(.+)\]", terraform)
    assert [category for category in re.findall(r'"(.+?)"', categories) if f"`{category}`" not in index] == []
    pages = re.findall(r"^\| `.+\[([a-z-]+)\]", index, re.M)
    assert [page for page in pages if not re.search(r"^\| severity \| (critical|warning)(: `|; | for )", text_of(page), re.M)] == []


def test_the_causes_of_an_unreachable_database_are_named_as_the_log_names_them():
    causes = re.findall(r"^  - `(.+?)`", text_of("database-primary-away"), re.M)
    sources = "".join((ROOT / file).read_text() for file in ("src/store/error.rs", "src/store/server.rs", "tests/api/tls.rs"))
    assert len(causes) == 4 and [cause for cause in causes if f'"{cause}' not in sources] == []
