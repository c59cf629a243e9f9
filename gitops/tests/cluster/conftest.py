"""One environment, brought up the way an operator does it, on the cluster of KUBECONFIG."""

import contextlib
import json
import os
import shutil
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
def read_secret():
    """What Secrets Manager has under a key."""
    return lambda key: {"username": "made-by-the-test", "password": "made-by-the-test"}


@pytest.fixture(scope="session")
def applications(environment, bridge) -> list[dict]:
    return render.applications(environment, {**bridge["annotations"], **bridge["labels"]})


@pytest.fixture(scope="session")
def charts(applications, tmp_path_factory):
    """Every chart at its URL; prints which are real."""
    folder = tmp_path_factory.mktemp("charts")
    subprocess.run([render.GITOPS / "tests" / "lib" / "charts", folder / "real"], check=True, capture_output=True)
    sources = [a["spec"]["source"] for a in applications if "chart" in a["spec"]["source"]]
    wanted = {(s["repoURL"], s["chart"], s["targetRevision"]) for s in sources}
    server = ChartServer(wanted, folder / "real", REAL, folder)
    for i, url in enumerate(sorted({s["repoURL"] for s in sources})):
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"charts-{i}", "namespace": "argocd", "labels": {"argocd.argoproj.io/secret-type": "repository"}},
            "stringData": {"type": "helm", "name": f"charts-{i}", "url": url, "proxy": server.url, "insecure": "true"},
        }
        c.kubectl("apply", "-f", "-", stdin=json.dumps(secret))
    print(f"\ncharts synced for real: {sorted(server.real)}; as empty ones: {sorted(server.empty)}")
    yield server
    server.close()


@pytest.fixture(scope="session")
def monitoring():
    monitoring = c.Monitoring()
    yield monitoring
    monitoring.close()


@pytest.fixture(scope="session")
def argo_cd(applications):
    """The settings that the argo-cd Application would give to Argo CD, but for how often it polls."""
    app = next(a for a in applications if a["metadata"]["name"] == "argo-cd")
    settings = app["spec"]["source"]["helm"]["valuesObject"]["configs"]["cm"]
    data = {k: str(v) for k, v in settings.items() if not k.startswith("timeout.")}
    c.kubectl("patch", "configmap", "argocd-cm", "-n", "argocd", "--type=merge", "-p", json.dumps({"data": data}))


# Plays the injector: pods that serve get a container `istio-proxy`, whose use the autoscaler looks at.
INJECTOR = """
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: injector}
spec:
  failurePolicy: Fail
  reinvocationPolicy: Never
  matchConstraints:
    objectSelector: {matchLabels: {app.kubernetes.io/component: server}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  mutations:
    - patchType: JSONPatch
      jsonPatch:
        expression: >-
          [JSONPatch{op: "add", path: "/spec/containers/-", value: Object.spec.containers{
            name: "istio-proxy", image: "PROXY",
            securityContext: Object.spec.containers.securityContext{
              allowPrivilegeEscalation: false,
              capabilities: Object.spec.containers.securityContext.capabilities{drop: ["ALL"]}},
            resources: Object.spec.containers.resources{
              requests: {"cpu": "100m", "memory": "128Mi"}, limits: {"memory": "256Mi"}}}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: injector}
spec: {policyName: injector}
"""


@pytest.fixture(scope="session")
def injector(applications):
    policies = next(a for a in applications if a["metadata"]["name"] == "policies")
    proxy = next(o["data"]["proxy"] for o in render.objects(policies, None) if o["kind"] == "ConfigMap")
    c.kubectl("apply", "-f", "-", stdin=INJECTOR.replace("PROXY", proxy))


@pytest.fixture(scope="session")
def installed(environment, bridge, read_secret, charts, argo_cd, injector, tmp_path_factory, monitoring):
    """gitops/bootstrap/install, then everything Synced and Healthy; Flagger joins as soon as Argo CD has made its CRD."""
    folder = tmp_path_factory.mktemp("installed")
    printed = folder / "bridge.json"
    printed.write_text(json.dumps(bridge))
    install = Path(os.environ["GITOPS_REPOSITORY"]) / "gitops" / "bootstrap" / "install"
    with contextlib.ExitStack() as running:
        running.callback(c.SecretsOperator(read_secret).close)
        for _ in range(2):  # safe to repeat
            subprocess.run([install, environment, "--bridge", printed, "--argo-cd", "none"], check=True, timeout=120)
        c.eventually("the Application flagger is healthy", lambda: c.states(c.application("flagger")) == ("Synced", "Healthy"), 600)
        flagger = c.Flagger(Path(shutil.which("flagger")), monitoring, folder)
        running.callback(flagger.close)
        c.eventually("all Applications are Synced and Healthy", all_well, 600, every=3)
        yield
        if os.environ.get("SHOW_FLAGGER"):
            print(flagger.log.read_text()[-6000:])


def all_well() -> bool | list:
    apps = c.items("applications.argoproj.io", "argocd")
    ill = [(a["metadata"]["name"], *c.states(a)) for a in apps if c.states(a) != ("Synced", "Healthy")]
    if len(apps) < 5 or ill:
        raise RuntimeError(str(ill))
    return True
