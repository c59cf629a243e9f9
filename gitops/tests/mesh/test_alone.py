"""The service's chart by itself, installed with helm on a cluster that has nothing of the platform."""

import json
import subprocess

import pytest

from lib import cluster as c
from lib import render

NAMESPACE = "alone"
CHART = render.GITOPS / "charts" / "birthday-api"


def helm(*args: str) -> str:
    return subprocess.run(["helm", *args, "-n", NAMESPACE], text=True, capture_output=True, check=True, timeout=200).stdout


@pytest.fixture
def namespace():
    """With a volume: no provisioner makes one here."""
    if not c.get("node", "fake-1"):
        pytest.skip("needs nodes whose pods become ready without their image")
    volume = {
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "alone"},
        "spec": {"storageClassName": "alone", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/tmp/alone"}},
    }  # fmt: skip
    c.kubectl("apply", "-f", "-", stdin=json.dumps(volume))
    c.kubectl("create", "namespace", NAMESPACE)
    yield
    c.kubectl("delete", "namespace", NAMESPACE)
    c.kubectl("delete", "persistentvolume", "alone", "--wait=false")


def test_helm_installs_upgrades_and_leaves_the_data(namespace):
    notes = helm("install", "birthday", str(CHART), "--set", "sqlite.storageClass=alone", "--wait", "--timeout", "120s")
    assert "kubectl port-forward -n alone service/birthday 8000:80" in notes
    [pod] = c.items("pods", NAMESPACE)
    assert c.ready(pod) and pod["spec"]["containers"][0]["image"].startswith("ghcr.io/birthday-api/birthday-api:")
    [address] = c.get("endpoints", "birthday", NAMESPACE)["subsets"][0]["addresses"]
    assert address["targetRef"]["name"] == pod["metadata"]["name"]
    helm("upgrade", "birthday", str(CHART), "--set", "sqlite.storageClass=alone,settings.leapDay=feb28", "--wait", "--timeout", "120s")
    helm("uninstall", "birthday", "--wait")
    assert [o["metadata"]["name"] for o in c.items("persistentvolumeclaims", NAMESPACE)] == ["birthday"]
    assert c.items("deployments", NAMESPACE) == []


def test_with_postgresql_the_migration_runs_before_the_pods(namespace):
    c.kubectl("create", "secret", "generic", "login", "-n", NAMESPACE, "--from-literal=username=birthday", "--from-literal=password=made-by-the-test")
    values = "database.url=postgres://db:5432/birthday?sslmode=disable,database.secret=login,replicas=2"
    helm("install", "birthday", str(CHART), "--set", values, "--wait", "--timeout", "120s")
    job, deployment = c.get("job", "birthday-migrate", NAMESPACE), c.get("deployment", "birthday", NAMESPACE)
    assert job["status"]["completionTime"] <= deployment["metadata"]["creationTimestamp"]
    assert deployment["status"]["readyReplicas"] == 2
    assert c.items("persistentvolumeclaims", NAMESPACE) == []
