"""The workflows as data, and their commands as they run on a runner."""

import re
from collections.abc import Iterator
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


def commands(name: str, job: str, values: dict[str, str]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Id, command and environment of each `run` of a job. `values` replace the expressions, including values that the caller adds
    between steps; an unknown expression is an error. A step whose `if` is not in `values` runs."""
    found = workflow(name)["jobs"][job]

    def fill(text) -> str:
        return re.sub(r"\$\{\{ *(.*?) *\}\}", lambda match: values[match[1]], str(text))

    def environment(*levels: dict) -> dict[str, str]:
        return {key: fill(value) for level in levels for key, value in level.items()}

    for step in found["steps"]:
        if "run" in step and values.get(step.get("if", ""), "true") == "true":
            yield step.get("id", ""), step["run"], environment(workflow(name).get("env", {}), found.get("env", {}), step.get("env", {}))


def play(repository: Repository, name: str, job: str, values: dict[str, str], limit: float = 60, **environment: str) -> dict[str, str]:
    """Runs the commands of a job in the repository, as a runner would; returns the outputs of its steps."""
    output, given, values = repository.folder.parent / "output", {}, dict(values)
    files = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(repository.folder.parent / "summary"), "GITHUB_ACTIONS": "true"}
    for step, command, own in commands(name, job, values):
        output.write_text("")
        done = repository.run("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command, limit=limit, **own | files | environment)
        assert done.code == 0, (command, done)
        found = outputs(output.read_text())
        values |= {f"steps.{step}.outputs.{key}": value for key, value in found.items()}
        given |= found
    return given


def outputs(text: str) -> dict[str, str]:
    """Outputs as GitHub reads them: name<<end, lines, end."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        name, end = line.split("<<")
        found[name] = "\n".join(iter(lambda: next(lines), end))
    return found
