"""`terraform test` of every module: its own rules, with a mocked provider."""

import os
import re
import shutil

import pytest

from conftest import TERRAFORM, summary
from roots import copy_tree
from tools import run, terraform_environment

MODULES = sorted(path.parent.name for path in (TERRAFORM / "modules").glob("*/tests"))


@pytest.fixture(scope="module")
def copy(folder, package):
    return copy_tree(TERRAFORM, folder / "modules-under-test")


@pytest.mark.parametrize("module", MODULES)
def test_module_keeps_its_own_rules(copy, module):
    folder = copy / "modules" / module
    # Modules carry no lock file of their own; the environments' is the one that counts.
    shutil.copy(copy / "bootstrap" / ".terraform.lock.hcl", folder)
    environment = os.environ | terraform_environment() | {"AWS_REGION": "eu-west-1"}
    run(["terraform", "init", "-backend=false", "-lockfile=readonly", "-no-color"], cwd=folder, env=environment)
    said = run(["terraform", "test", "-no-color"], cwd=folder, env=environment)
    passed, failed = map(int, re.search(r"(\d+) passed, (\d+) failed", said).groups())
    assert passed >= 3 and failed == 0
    summary(f"module {module}: {passed} runs of terraform test")
