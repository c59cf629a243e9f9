"""The patches of tests/sabotage fit the folder as it is, and name tests that exist; `run sabotage` says whether those fail."""

import re
import subprocess

import pytest

from lib import render

TESTS = render.GITOPS / "tests"
PATCHES = sorted((TESTS / "sabotage").glob("*.patch"))
CLUSTER = "".join(f.read_text() for f in (TESTS / "cluster").glob("test_*.py"))


@pytest.mark.parametrize("patch", PATCHES, ids=lambda p: p.stem)
def test_a_sabotage_fits_and_names_tests_that_exist(patch):
    subprocess.run(["git", "apply", "--check", patch], cwd=render.GITOPS.parent, check=True)
    named = re.findall(r"^fails (\w+): .+$", patch.read_text(), re.M)
    assert named
    for test in named:
        assert f"def {test}(" in CLUSTER
