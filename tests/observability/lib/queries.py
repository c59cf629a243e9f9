"""The expressions in rules, dashboard and runbooks, and the names in them."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
BASE = ROOT / "gitops/platform/observability"
HERE = ROOT / "tests/observability"
KEYWORDS = {"and", "or", "unless", "bool", "offset"}


@dataclass(frozen=True)
class Selector:
    metric: str
    labels: tuple[tuple[str, str, str], ...]
    """(label, operator, value)"""


def groups() -> list[dict]:
    """The groups of every PrometheusRule, in the format of Prometheus' rule files."""
    files = sorted((BASE / "rules").glob("*.yaml"))
    return [group for file in files for group in yaml.safe_load(file.read_text())["spec"]["groups"]]


def alerts() -> list[dict]:
    return [rule for group in groups() for rule in group["rules"] if "alert" in rule]


def recorded() -> set[str]:
    return {rule["record"] for group in groups() for rule in group["rules"] if "record" in rule}


def write_rules(folder: Path, annotations: bool = True) -> Path:
    """`rules.yaml` for promtool and Prometheus. Without annotations, tests need not repeat every word of them."""
    found = groups()
    if not annotations:
        for rule in (rule for group in found for rule in group["rules"]):
            rule.pop("annotations", None)
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": found}, width=1000))
    return file


def dashboard() -> dict:
    return json.loads((BASE / "dashboard.json").read_text())


def panels() -> list[dict]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> list[tuple[str, str]]:
    """Where each expression is used, and the expression."""
    rules = [(rule.get("alert") or rule["record"], rule["expr"]) for group in groups() for rule in group["rules"]]
    marks = [(f"mark {mark['name']}", mark["expr"]) for mark in dashboard()["annotations"]["list"]]
    asked = [
        (file.stem, expression)
        for file in sorted((ROOT / "docs/runbooks").glob("*.md"))
        for expression in re.findall(r"\bask '([^']*)'", file.read_text())
    ]
    return rules + marks + asked + [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]


def selectors(expression: str) -> set[Selector]:
    """The selectors in an expression. Not a full PromQL parser, but enough for expressions that promtool has accepted."""
    text = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", expression)
    text = re.sub(r"\[[^]]*\]", " ", text)
    found = set()
    for name, called, braces in re.findall(r"(?<![\w.\"])([a-zA-Z_:][\w:]*)\s*(\()?(\{[^}]*\})?", text):
        if not called and name not in KEYWORDS:
            labels = re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', braces)
            found.add(Selector(name, tuple(labels)))
    return found
