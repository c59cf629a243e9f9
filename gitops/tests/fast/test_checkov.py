"""checkov on what Argo CD applies; every waiver of .checkov.yaml states its reason."""

import re
import subprocess

import yaml

from lib import render

CONFIG = render.GITOPS / ".checkov.yaml"


def test_checkov_has_no_finding(applications, objects, tmp_path):
    for app in applications:
        name = app["metadata"]["name"]
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump_all([app, *objects.get(name, [])]))
    done = subprocess.run(["checkov", "--config-file", CONFIG, "--directory", tmp_path], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"Passed checks: (\d+)", done.stdout)[1]) > 100


def test_every_waiver_has_a_reason():
    waivers = [line for line in CONFIG.read_text().splitlines() if "CKV" in line]
    assert waivers and all(len(line.partition(" # ")[2]) > 30 for line in waivers)
