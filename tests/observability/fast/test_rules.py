"""promtool on the rules; every alert has cases and a runbook."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from lib.queries import BASE, HERE, ROOT, alerts, expressions, groups, write_rules

CASES = sorted((HERE / "rules").glob("*.test.yaml"))
RUNBOOKS = "https://github.com/birthday-api/birthday-api/blob/main/docs/runbooks/"


def promtool(*arguments, folder: Path):
    done = subprocess.run(["promtool", *map(str, arguments)], cwd=folder, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_no_mistake_in_the_rules(tmp_path):
    promtool("check", "rules", "--lint=all", "--lint-fatal", write_rules(tmp_path), folder=tmp_path)


def test_promtool_reads_every_expression_of_dashboard_and_runbooks(tmp_path):
    rules = [{"record": f"expression:{number}", "expr": expression} for number, (_, expression) in enumerate(expressions())]
    (tmp_path / "expressions.yaml").write_text(yaml.safe_dump({"groups": [{"name": "expressions", "rules": rules}]}))
    promtool("check", "rules", "--lint=none", "expressions.yaml", folder=tmp_path)


@pytest.mark.parametrize("cases", CASES, ids=lambda file: file.name)
def test_alerts_fire_and_stay_silent_as_the_cases_say(cases, tmp_path):
    write_rules(tmp_path, annotations=False)
    # promtool evaluates groups in no fixed order, so that an alert may see what was recorded a minute earlier.
    order = yaml.safe_dump({"group_eval_order": [group["name"] for group in groups()]})
    (tmp_path / cases.name).write_text(cases.read_text() + "\n" + order)
    promtool("test", "rules", cases.name, folder=tmp_path)


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: f"{alert['alert']}-{alert['labels'].get('window', '')}".strip("-"))
def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(alert):
    cases = (case for file in CASES for test in yaml.safe_load(file.read_text())["tests"] for case in test["alert_rule_test"])
    expected = [case.get("exp_alerts", []) for case in cases if case["alertname"] == alert["alert"]]
    assert {any(alert["labels"].items() <= found["exp_labels"].items() for found in case) for case in expected} == {True, False}


@pytest.mark.parametrize("name", sorted({alert["alert"] for alert in alerts()}))
def test_every_alert_has_a_runbook_of_its_name(name):
    file = re.sub(r"(?<!^)([A-Z])", r"-\1", name).lower() + ".md"
    assert {alert["annotations"]["runbook_url"] for alert in alerts() if alert["alert"] == name} == {RUNBOOKS + file}
    text = (ROOT / "docs/runbooks" / file).read_text()
    assert text.startswith(f"# {name}\n")
    assert "```" in text.split("## Look")[1].split("## Do")[0], "nothing to copy"


def test_compose_gives_prometheus_the_same_rules():
    command = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["prometheus"]["command"][0]
    edits = shlex.split(re.search(r"sed (.*?) \"", command)[1])
    for file in (BASE / "rules").glob("*.yaml"):
        plain = subprocess.run(["sed", *edits, file], check=True, text=True, capture_output=True).stdout
        assert yaml.safe_load(plain) == yaml.safe_load(file.read_text())["spec"], file.name


def test_compose_can_copy_its_configs_into_the_containers():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert "configs" in services["prometheus"]
    assert [name for name, service in services.items() if "configs" in service and service.get("read_only")] == []
