"""`terraform test` for every module: its own tests, with a mocked provider."""

import re

import pytest

from conftest import TERRAFORM
from roots import copy_tree, run_tests_of

MODULES = sorted(path.parent.name for path in (TERRAFORM / "modules").glob("*/tests"))


@pytest.fixture(scope="module")
def copy(folder, package):
    return copy_tree(TERRAFORM, folder / "modules-under-test")


@pytest.mark.parametrize("module", MODULES)
def test_module_keeps_its_own_rules(copy, module):
    said = run_tests_of(copy, module)
    passed, failed = map(int, re.search(r"(\d+) passed, (\d+) failed", said).groups())
    assert passed >= 3 and failed == 0
