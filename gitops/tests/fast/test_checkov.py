"""checkov on what Argo CD applies, with the waivers of .checkov.yaml."""

import re
import subprocess

import yaml

from lib import render


def test_checkov_has_no_finding(applications, objects, tmp_path):
    for app in applications:
        name = app["metadata"]["name"]
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump_all([app, *objects.get(name, [])]))
    done = subprocess.run(["checkov", "--config-file", render.GITOPS / ".checkov.yaml", "--directory", tmp_path], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"Passed checks: (\d+)", done.stdout)[1]) > 100
