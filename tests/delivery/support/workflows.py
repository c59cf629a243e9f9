"""The workflows as data, and their commands as they run on a runner."""

import re
from functools import cache

import yaml

from support.repository import ROOT, Repository

FOLDER = ROOT / ".github/workflows"


@cache
def workflow(name: str) -> dict:
    loaded = yaml.safe_load((FOLDER / name).read_text())
    loaded["on"] = loaded.pop(True)  # YAML 1.1 reads this key as true
    return loaded


def names() -> list[str]:
    return sorted(path.name for path in FOLDER.glob("*.yml"))


def jobs():
    """(workflow, job, its definition)"""
    return [(name, job, found) for name in names() for job, found in workflow(name)["jobs"].items()]


def steps():
    """(workflow, job, definition of the step)"""
    return [(name, job, step) for name, job, found in jobs() for step in found.get("steps", [])]


def play(repository: Repository, name: str, job: str, values: dict[str, str], limit: float = 60, **environment: str) -> dict[str, str]:
    """Runs each `run` of a job in the repository, as a runner would; returns the outputs of its steps. `values` replace the expressions;
    an unknown expression is an error. A step whose `if` is not in `values` runs."""
    output, given, values, found = repository.folder.parent / "output", {}, dict(values), workflow(name)["jobs"][job]
    files = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(repository.folder.parent / "summary"), "GITHUB_ACTIONS": "true"}
    for step in found["steps"]:
        if "run" not in step or values.get(step.get("if", ""), "true") != "true":
            continue
        settings = workflow(name).get("env", {}) | found.get("env", {}) | step.get("env", {})
        own = {key: re.sub(r"\$\{\{ *(.*?) *\}\}", lambda match: values[match[1]], str(value)) for key, value in settings.items()}
        output.write_text("")
        done = repository.run("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"], limit=limit, **own | files | environment)
        assert done.code == 0, (step["run"], done)
        made = outputs(output.read_text())
        values |= {f"steps.{step.get('id', '')}.outputs.{key}": value for key, value in made.items()}
        given |= made
    return given


def outputs(text: str) -> dict[str, str]:
    """Outputs as GitHub reads them: name<<end, lines, end."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        name, end = line.split("<<")
        found[name] = "\n".join(iter(lambda: next(lines), end))
    return found
