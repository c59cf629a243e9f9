"""Everything is deleted as docs/runbooks/tear-down.md says. This file is the last one: it leaves nothing to test."""

import json
import time

import pytest

from lib import cluster as c

pytestmark = pytest.mark.usefixtures("installed")


def test_argo_cd_deletes_the_service_once_the_canary_is_deleted_and_nothing_of_it_before():
    c.kubectl("delete", "applicationset", "root", "-n", "argocd")
    c.kubectl("delete", "application.argoproj.io", "birthday-api", "-n", "argocd", "--wait=false")
    time.sleep(15)  # Argo CD looks at once
    assert all("deletionTimestamp" not in c.get(kind, "birthday-api", c.NAMESPACE)["metadata"] for kind in ("deployment", "canary", "service"))
    c.kubectl("patch", "canary", "birthday-api", "-n", c.NAMESPACE, "--type=merge", "-p", json.dumps({"spec": {"revertOnDeletion": False}}))
    c.kubectl("delete", "canary", "birthday-api", "-n", c.NAMESPACE, timeout=120)
    c.kubectl("wait", "--for=delete", "application.argoproj.io/birthday-api", "-n", "argocd", "--timeout=2m", timeout=150)
    c.eventually("no Deployment is left", lambda: not c.items("deployments", c.NAMESPACE), 60)


def test_namespaces_outlive_the_application_that_made_them():
    c.kubectl("delete", "applications.argoproj.io", "--all", "-n", "argocd", timeout=300)
    assert c.get("storageclass", "gp3") is None, "the others of that Application are deleted"
    assert "deletionTimestamp" not in c.get("namespace", c.NAMESPACE)["metadata"]
