"""The service's chart by itself, with PostgreSQL, installed with helm; nodes/test_0_alone.py has SQLite and requests."""

import subprocess

import pytest

from lib import cluster as c
from lib import render

NAMESPACE = "alone"


@pytest.fixture
def namespace():
    if not c.get("node", "fake-1"):
        pytest.skip("needs nodes whose pods become ready without their image")
    c.kubectl("create", "namespace", NAMESPACE)
    yield
    c.kubectl("delete", "namespace", NAMESPACE)


def test_with_postgresql_the_migration_runs_before_the_pods(namespace):
    c.kubectl("create", "secret", "generic", "login", "-n", NAMESPACE, "--from-literal=username=birthday", "--from-literal=password=made-by-the-test")
    values = "database.url=postgres://db:5432/birthday?sslmode=disable,database.secret=login,replicas=2"
    chart = render.GITOPS / "charts" / "birthday-api"
    subprocess.run(["helm", "install", "birthday", chart, "-n", NAMESPACE, "--set", values, "--wait", "--timeout", "120s"], check=True, timeout=200)
    job, deployment = c.get("job", "birthday-migrate", NAMESPACE), c.get("deployment", "birthday", NAMESPACE)
    assert job["status"]["completionTime"] <= deployment["metadata"]["creationTimestamp"]
    assert deployment["status"]["readyReplicas"] == 2
    assert c.items("persistentvolumeclaims", NAMESPACE) == []
