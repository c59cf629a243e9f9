"""Files, settings, outputs, flags and AWS calls that the runbooks name exist."""

import functools
import os
import re
import shlex

import botocore.session
import pytest
from botocore import xform_name

from runbooks import ALL, ROOT, blocks, code, commands
from terraform.tests.conftest import TERRAFORM
from tools import run, terraform_environment

# Commands of the AWS CLI that are not calls of a service's API.
OWN_OF_CLI = {("s3", "cp"), ("logs", "tail"), ("eks", "update-kubeconfig")}
GLOBAL_FLAGS = {"--query", "--output", "--region"}
# shared, so that each service's model is read once
SESSION = botocore.session.get_session()


@pytest.mark.parametrize("runbook", ALL)
def test_files_of_a_runbook_exist(runbook):
    for name in set(re.findall(r"(?<![\w./-])(?:terraform|gitops|docs|scripts|migrations|tests)/[\w./*$<>-]+", code(runbook))):
        pattern = re.sub(r"\$environment|<environment>", "staging", name).rstrip("/.")
        assert list(ROOT.glob(pattern)), f"{name} does not exist"
    for script in re.findall(r"^((?:terraform|gitops|scripts)/\S+)", "\n".join(blocks(runbook)), re.M):
        assert os.access(ROOT / script, os.X_OK), f"{script} cannot be run"


@pytest.mark.parametrize("runbook", ALL)
def test_the_rotation_function_is_packaged_before_terraform_reads_it(runbook):
    """Git ignores its zip file: a fresh clone has none, and an old one would roll back the function."""
    script = "".join(block for block in blocks(runbook) if "terraform/bootstrap" not in block)
    used = re.search(r"^\s*terraform (?:-\S+ )*(?:plan|apply|destroy)\b|&& terraform apply", script, re.M)
    assert not used or "terraform/package\n" in script[: used.start()]


@pytest.mark.parametrize("runbook", ALL)
def test_folders_of_a_runbook_are_left_again(runbook):
    """Every block begins in the repository's root."""
    for block in blocks(runbook):
        depth = 0
        for folder in re.findall(r"^cd (\S+)", block, re.M):
            depth += sum(-1 if part == ".." else 1 for part in folder.split("/"))
        assert depth == 0, block


@pytest.mark.parametrize("runbook", ALL)
def test_settings_and_outputs_of_a_runbook_exist(runbook):
    roots = ["bootstrap", "environments/staging"]
    known = {
        kind: set(re.findall(rf'^{kind} "(\w+)"', "".join((TERRAFORM / root / f"{kind}s.tf").read_text() for root in roots), re.M))
        for kind in ("variable", "output")
    }
    text = code(runbook)
    assert set(re.findall(r"-var (\w+)=", text)) <= known["variable"]
    assert set(re.findall(r"terraform output(?: -\w+)* (\w+)", text)) <= known["output"]
    settings = {"kubernetes_version", "addon_versions", "master_password_version", "alarm_emails", "deletion_protection"}
    assert {word for word in settings if word in text} <= known["variable"]


@functools.cache
def flags(command):
    # `destroy` and `apply` accept the flags of `plan`; their help only refers to it.
    topics = {command, "plan"} if command in ("apply", "destroy") else {command}
    return {flag for topic in topics for flag in re.findall(r"^\s+(-[a-z]+)", run(["terraform", topic, "-help"], env=os.environ | terraform_environment()), re.M)}


@pytest.mark.parametrize("runbook", ALL)
def test_flags_of_terraform_exist(runbook):
    for command, rest in re.findall(r"terraform (init|plan|apply|destroy|output|force-unlock)\b([^\n&|`#]*)", code(runbook)):
        assert set(re.findall(r" (-[a-z]+)", rest)) <= flags(command), f"terraform {command}{rest}"


def calls(runbook):
    for command in commands(runbook, "aws"):
        words = shlex.split(command.split(" >")[0])
        if len(words) > 2:
            yield words[1], words[2], words[3:]


@pytest.mark.parametrize("runbook", ALL)
def test_calls_of_aws_exist(runbook):
    """Checked against the models that boto3 and the AWS CLI are built from."""
    for service, command, arguments in calls(runbook):
        if (service, command) in OWN_OF_CLI:
            continue
        model = SESSION.get_service_model(service)
        if command == "wait":
            waiters = SESSION.get_waiter_model(service).waiter_names
            name = next(name for name in waiters if xform_name(name, "-") == arguments[0])
            operation = SESSION.get_waiter_model(service).get_waiter(name).operation
        else:
            operation = next((name for name in model.operation_names if xform_name(name, "-") == command), None)
            assert operation, f"aws {service} {command}"
        members = model.operation_model(operation).input_shape.members
        flags = {f"--{xform_name(name, '-')}" for name in members} | GLOBAL_FLAGS
        flags |= {f"--no-{xform_name(name, '-')}" for name, shape in members.items() if shape.type_name == "boolean"}
        for flag in (word for word in arguments if word.startswith("--")):
            assert flag in flags, f"aws {service} {command} {flag}"
