"""Staging's cluster follows the commits that the delivery makes, and reports what it serves."""

import json
import os
import subprocess

import pytest
from conftest import WORK
from deployed import deployed, follows, serving

from lib import cluster as c
from lib import render

pytestmark = pytest.mark.usefixtures("installed", "notifications")


@pytest.fixture(scope="module")
def notifications(bridge, installed, api):
    """Argo CD's notifications controller with the settings of the argo-cd Application, and a stand-in for GitHub's API."""
    secret = {**bridge["annotations"], **bridge["labels"]}
    apps = render.applications("staging", secret, {"github": {"appId": "1", "installationId": "2"}})
    [settings] = [app["spec"]["source"]["helm"]["valuesObject"]["notifications"] for app in apps if app["metadata"]["name"] == "argo-cd"]
    key = subprocess.run(["openssl", "genrsa", "-traditional", "2048"], check=True, capture_output=True, text=True).stdout
    data = settings["notifiers"] | settings["templates"] | settings["triggers"]
    data["service.github"] += f"enterpriseBaseURL: {api.address}\n"
    for kind, name, field, content in (
        ("ConfigMap", "argocd-notifications-cm", "data", data),
        ("Secret", "argocd-notifications-secret", "stringData", {"github-private-key": key}),
    ):
        found = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "argocd"}, field: content}
        c.kubectl("apply", "-f", "-", stdin=json.dumps(found))
    # as the Application has it when a GitHub App is configured
    c.kubectl("annotate", "application", "birthday-api", "-n", "argocd", "notifications.argoproj.io/subscribe.on-serving.github=")
    command = ["argocd", "--kubeconfig", os.environ["KUBECONFIG"], "-n", "argocd", "--metrics-port", "0"]
    environment = os.environ | {"ARGOCD_BINARY_NAME": "argocd-notifications"}
    with (WORK / "notifications.log").open("w") as log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as running:
        yield
        running.terminate()


def test_argo_cd_rolls_the_first_release_out(clone, chain):
    c.eventually("the Deployment is there", lambda: deployed() == chain["first"], 60)
    chain.saw(f"Argo CD     staging: Deployment carries {chain['first']}")


def test_a_push_of_the_delivery_is_synced_and_serves(clone, chain, api):
    done = clone.run("scripts/set-image", "staging", chain["second"])
    assert done.code == 0, done
    commit = clone.git("rev-parse", "origin/main")
    follows(commit, chain["second"])
    chain.saw(f"Argo CD     staging: synced {commit[:12]}, Deployment carries {chain['second']}")
    c.eventually("all that serves is the second release", lambda: serving() == {chain["second"]}, 300)
    chain.saw("Flagger     staging: every pod that serves is of that digest")
    chain["staging"] = deployed()
    reported = lambda: [(found["context"], found["state"]) for found in api.of(commit)]  # noqa: E731
    c.eventually("staging has reported it", reported, 120)
    assert reported() == [(f"staging/{chain['second']}", "success")], "nothing was reported while the canary was analysed"
    chain.saw(f"Argo CD     staging: commit {commit[:12]} has the status staging/{chain['second']}")
