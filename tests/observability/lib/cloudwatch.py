"""Terraform's metric filters, and which log lines they count. Filter pattern syntax that is not supported here is an error."""

import json
import re

import yaml

from lib.queries import ROOT

MODULE = ROOT / "terraform/modules/observability"
FLUENT_BIT = ROOT / "gitops/apps/templates/fluent-bit.yaml"
TERM = re.compile(r'\$((?:\.\w+)+) = "([^"*]*)(\*?)"')


def promise() -> dict:
    """Objectives and burn rates."""
    return yaml.safe_load((MODULE / "objectives.yaml").read_text())


def filters() -> dict[str, str]:
    """Filter patterns by the metric that counts their matches."""
    found = re.findall(r'^    (\w+) = {\n      pattern += ("(?:[^"\\]|\\.)*")$', (MODULE / "log_alarms.tf").read_text(), re.MULTILINE)
    return {metric: json.loads(pattern) for metric, pattern in found}


def shipped(line: str, container: str) -> dict:
    """A line of a container as Fluent Bit sends it to the log group (manual, "Kubernetes filter": Merge_Log, Keep_Log)."""
    settings = yaml.safe_load(re.search(r"^        filter: (.*)$", FLUENT_BIT.read_text(), re.MULTILINE)[1])
    assert settings["mergeLog"] == "On" and settings["keepLog"] == "Off"
    found = {settings["mergeLogKey"]: json.loads(line)} if line.startswith("{") else {"log": line}
    return found | {"kubernetes": {"container_name": container}}


def counts(pattern: str, event: dict) -> bool:
    """Supports string terms, with or without a star at the end, joined by && and ||."""

    def term(found: re.Match) -> str:
        value = event
        for key in found[1].split(".")[1:]:
            value = value.get(key) if isinstance(value, dict) else None
        matches = isinstance(value, str) and (value.startswith(found[2]) if found[3] else value == found[2])
        return str(matches)

    known = TERM.sub(term, re.fullmatch(r"\{ (.*) \}", pattern)[1])
    assert re.fullmatch(r"(True|False|&&|\|\||[() ])+", known), known
    return eval(known.replace("&&", "and").replace("||", "or"))
