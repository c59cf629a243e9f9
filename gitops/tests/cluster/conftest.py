"""Brings up one environment on the cluster of KUBECONFIG, as an operator does."""

import contextlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from lib import cluster as c
from lib import render
from lib.chart_server import ChartServer

REAL = {"flagger", "loadtester"}  # the others bring webhooks and controllers that would need containers


@pytest.fixture(scope="session")
def environment() -> str:
    return os.environ["ENVIRONMENT"]


@pytest.fixture(scope="session")
def repository() -> c.Repository:
    return c.Repository(Path(os.environ["GITOPS_REPOSITORY"]))


@pytest.fixture(scope="session")
def bridge(environment) -> dict:
    return render.handover(environment)


@pytest.fixture(scope="session")
def applications(environment, bridge) -> list[dict]:
    return render.applications(environment, {**bridge["annotations"], **bridge["labels"]})


@pytest.fixture(scope="session")
def installed(environment, bridge, applications, tmp_path_factory):
    """Runs gitops/bootstrap/install and waits until everything is Synced and Healthy; Flagger starts once Argo CD has created its CRD."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([render.GITOPS / "tests" / "lib" / "charts", folder / "real"], check=True, capture_output=True)
    # the settings that the argo-cd Application would give to Argo CD, except the polling intervals
    settings = next(a for a in applications if a["metadata"]["name"] == "argo-cd")["spec"]["source"]["helm"]["valuesObject"]["configs"]["cm"]
    data = {k: str(v) for k, v in settings.items() if not k.startswith("timeout.")}
    c.kubectl("patch", "configmap", "argocd-cm", "-n", "argocd", "--type=merge", "-p", json.dumps({"data": data}))
    printed = folder / "bridge.json"
    printed.write_text(json.dumps(bridge))
    install = Path(os.environ["GITOPS_REPOSITORY"]) / "gitops" / "bootstrap" / "install"
    with contextlib.ExitStack() as running:
        charts = ChartServer(applications, folder / "real", REAL, folder)
        running.callback(charts.close)
        charts.known_to_argo_cd()
        for _ in range(2):  # safe to repeat
            subprocess.run([install, environment, "--bridge", printed, "--argo-cd", "none"], check=True, timeout=120)
        healthy = ("Synced", "Healthy")
        c.eventually("the Application flagger is healthy", lambda: c.serve_secrets() and c.states(c.application("flagger")) == healthy, 600)
        running.callback(c.Flagger(folder).close)
        c.eventually("all Applications are Synced and Healthy", lambda: c.serve_secrets() and c.all_well(len(applications)), 600, every=3)
        yield
