"""The service's chart alone, as a new user installs it with helm. Runs first, before the nodes have the platform."""

import contextlib
import json
import os
import re
import subprocess
import time

import pytest
import yaml

from common.engine import docker
from common.load import Client
from common.start import free_port
from lib import cluster as c
from lib import render

CHART, NAMESPACE, ALL = render.GITOPS / "charts/birthday-api", "alone", ("--wait", "--timeout", "120s")
# There is no volume provisioner: a local volume on a node serves the default class.
CLASS = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer",
         "metadata": {"name": "alone", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}  # fmt: skip
VOLUME = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "alone"}, "spec": {
    "storageClassName": "alone", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "local": {"path": "/var/lib/alone"},
    "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["node-1"]}]}]}}}}  # fmt: skip


def helm(command: str, *args: str) -> str:
    done = subprocess.run(["helm", command, "birthday", "-n", NAMESPACE, *args], text=True, capture_output=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def namespace(stage):
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    stage.push(os.environ["IMAGE"], f"ghcr.io/birthday-api/birthday-api:{version}")
    stage.push("nodes-debian", yaml.safe_load((CHART / "values.yaml").read_text())["test"]["image"])
    docker("exec", "nodes-node-1", "mkdir", "-p", "/var/lib/alone")
    for made in (CLASS, VOLUME):
        c.kubectl("apply", "-f", "-", stdin=json.dumps(made))
    c.kubectl("create", "namespace", NAMESPACE)
    c.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    yield
    c.kubectl("delete", "namespace", NAMESPACE)
    c.kubectl("delete", "persistentvolume/alone", "storageclass/alone")


@contextlib.contextmanager
def forwarded(notes: str):
    """A client that uses the command of the chart's notes, with another local port."""
    command, port = re.search(r"kubectl (port-forward .*) 8000:80\n", notes)[1], free_port()
    process = subprocess.Popen(["kubectl", *command.split(), f"{port}:80"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().startswith("Forwarding from")
        yield Client(port)
    finally:
        process.kill()
        process.wait()


def test_without_values_it_saves_birthdays_and_keeps_them_through_upgrade_and_uninstall(namespace):
    began = time.monotonic()
    notes = helm("install", str(CHART), *ALL)
    print(f"\ninstalled in {time.monotonic() - began:.0f} s")
    with forwarded(notes) as client:
        assert client.save("Ada").status == 204
        assert json.loads(client.find("Ada").body)["message"].startswith("Hello, Ada!")
    passed = helm("test", "--logs")
    assert "Phase:          Succeeded" in passed and "Hello, ZZZ" in passed
    for change in (lambda: helm("upgrade", str(CHART), "--set", "settings.leapDay=feb28", *ALL),
                   lambda: helm("uninstall", "--wait") and helm("install", str(CHART), *ALL)):  # fmt: skip
        change()
        with forwarded(notes) as client:
            assert client.find("Ada").status == 200


def test_with_postgresql_the_migration_runs_before_the_pods(namespace, servers):
    servers.query("create role alone login password 'made-by-the-test'")
    servers.query("create database alone owner alone")
    c.kubectl("create", "secret", "generic", "login", "-n", NAMESPACE, "--from-literal=username=alone", "--from-literal=password=made-by-the-test")
    values = f"database.url=postgres://{servers.primary_host}:5432/alone?sslmode=require,database.secret=login,replicas=2"
    with forwarded(helm("install", str(CHART), "--set", values, *ALL)) as client:
        assert (client.save("Ada").status, client.find("Ada").status) == (204, 200)
    job, deployment = c.get("job", "birthday-migrate", NAMESPACE), c.get("deployment", "birthday", NAMESPACE)
    assert job["status"]["completionTime"] <= deployment["metadata"]["creationTimestamp"]
    assert deployment["status"]["readyReplicas"] == 2 and c.items("persistentvolumeclaims", NAMESPACE) == []
