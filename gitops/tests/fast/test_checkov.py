"""checkov on what Argo CD applies; every waiver of .checkov.yaml has its reason beside it."""

import copy
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from lib import render

CONFIG = render.GITOPS / ".checkov.yaml"


@pytest.fixture(scope="module")
def everything() -> dict[str, list[dict]]:
    found = {}
    for environment in ("staging", "production"):
        for app in render.applications(environment, render.bridge(environment)):
            found[f"{environment}-{app['metadata']['name']}"] = [app, *(render.objects(app, None, render.RELEASED) or [])]
    return found


def scan(files: dict[str, list[dict]], folder: Path) -> subprocess.CompletedProcess:
    for name, objects in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(objects))
    command = ["checkov", "--config-file", CONFIG, "--directory", folder]
    return subprocess.run(command, text=True, capture_output=True)


def test_checkov_has_no_finding(everything, tmp_path):
    done = scan(everything, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_checkov_finds_mistakes(everything, tmp_path):
    objects = copy.deepcopy(everything["production-birthday-api"])
    pod = next(o for o in objects if o["kind"] == "Deployment")["spec"]["template"]["spec"]
    pod["hostNetwork"] = True
    pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = False
    del pod["containers"][0]["livenessProbe"]
    done = scan({"wrong": objects}, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    for check in ("CKV_K8S_19", "CKV_K8S_22", "CKV_K8S_8"):
        assert f"{check}:" in done.stdout, check


def test_every_waiver_has_a_reason():
    waivers = [line for line in CONFIG.read_text().splitlines() if "CKV" in line]
    assert waivers and all(len(line.partition(" # ")[2]) > 30 for line in waivers)
