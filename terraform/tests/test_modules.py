"""`terraform test` for every module: its own tests, with a mocked provider."""

import pytest

from conftest import TERRAFORM
from roots import copy_tree, run_tests_of

MODULES = sorted(path.parent.name for path in (TERRAFORM / "modules").glob("*/tests"))


@pytest.fixture(scope="module")
def copy(folder, package):
    return copy_tree(TERRAFORM, folder / "modules-under-test")


@pytest.mark.parametrize("module", MODULES)
def test_module_keeps_its_own_rules(copy, module):
    runs = (copy / f"modules/{module}/tests/{module}.tftest.hcl").read_text().count("\nrun ")
    assert runs > 0 and f" {runs} passed, 0 failed" in run_tests_of(copy, module)
