"""The objects of kubectl commands exist: in the tree that Argo CD applies, or in the lists below of objects from elsewhere."""

import shlex
import subprocess

import pytest
from runbooks import ALL, FOLDER, Kubectl, commands

from lib import render

# kinds that Kubernetes itself creates
ITS_OWN = {"pods", "nodes", "events", "endpointslices", "namespace", "persistentvolumes"}
SHORT = {"hpa": "horizontalpodautoscaler", "svc": "service"}
VERBS = {
    "annotate", "apply", "cordon", "create", "delete", "describe", "drain", "exec", "get", "logs", "patch", "port-forward", "rollout restart",
    "top", "uncordon", "wait",
}  # fmt: skip
# Created by controllers: Flagger's stable copies, istiod's root certificate.
BY_CONTROLLERS = {
    ("deployment", "birthday-api-primary", "birthday-api"), ("horizontalpodautoscaler", "birthday-api-primary", "birthday-api"),
    ("secret", "istio-ca-secret", "istio-system"),
}  # fmt: skip
# From charts that are only on the internet: `CHARTS=FOLDER gitops/tests/run fast` checks those.
UNSEEN = {("statefulset", "prometheus-prometheus-prometheus", "monitoring"), ("service", "argocd-server", "argocd")}
# psql.md creates this namespace and, except for the pod, everything in it
CONSOLE = "console"
UNSEEN_PODS = {
    ("argocd", "app.kubernetes.io/name=argocd-repo-server"),
    ("kube-system", "app.kubernetes.io/name=aws-cluster-autoscaler"),
    ("kube-system", "app.kubernetes.io/name=aws-load-balancer-controller"),
    ("kube-system", "k8s-app=kube-dns"),
    ("external-secrets", "app.kubernetes.io/name=external-secrets"),
}
SIDECARS = {"istio-proxy"}


@pytest.fixture(scope="module")
def applications():
    return render.applications("production", render.bridge("production"))


@pytest.fixture(scope="module")
def objects(applications, tmp_path_factory) -> list[dict]:
    """All objects, including those of third-party charts as far as they are available."""
    charts = tmp_path_factory.mktemp("charts")
    subprocess.run([render.GITOPS / "tests/lib/charts", charts], check=True, capture_output=True)
    found = [*applications, *render.documents((render.GITOPS / "bootstrap/root.yaml").read_text() + "\n---\n" + (FOLDER / "psql.yaml").read_text())]
    for application in applications:
        for item in render.objects(application, charts, "sha256:" + "1" * 64) or []:
            item["metadata"].setdefault("namespace", application["spec"]["destination"]["namespace"])
            found.append(item)
    return found


def singular(kind: str) -> str:
    kind = SHORT.get(kind, kind)
    return kind[:-3] + "y" if kind.endswith("ies") else kind.removesuffix("s")


def asked(runbook: str) -> list[Kubectl]:
    return [Kubectl.parse(shlex.split(c)[1:]) for c in commands(runbook, "kubectl")]


def placeholder(name: str) -> bool:
    return not name or name[0] in "$<"


@pytest.mark.parametrize("runbook", ALL)
def test_verbs_and_namespaces_exist(runbook, applications, objects):
    namespaces = {a["spec"]["destination"]["namespace"] for a in applications} | {"kube-system", CONSOLE}
    namespaces |= {o["metadata"]["name"] for o in objects if o["kind"] == "Namespace"}
    for command in asked(runbook):
        assert command.verb in VERBS, command
        assert not command.options.namespace or command.options.namespace in namespaces, command


@pytest.mark.parametrize("runbook", ALL)
def test_objects_exist(runbook, objects):
    kinds = {o["kind"].lower() for o in objects} | {singular(kind) for kind in ITS_OWN} | {c["spec"]["names"]["singular"] for c in objects if c["kind"] == "CustomResourceDefinition"}
    known = {(o["kind"].lower(), o["metadata"]["name"], o["metadata"].get("namespace", "")) for o in objects} | BY_CONTROLLERS | UNSEEN
    known |= {("namespace", o["spec"]["destination"]["namespace"], "") for o in objects if o["kind"] == "Application"} | {("namespace", CONSOLE, "")}
    anywhere = {(kind, name) for kind, name, _ in known}
    for command in asked(runbook):
        for kind, name in command.objects():
            if placeholder(kind):
                continue
            assert (kind := singular(kind)) in kinds | {k for k, *_ in UNSEEN | BY_CONTROLLERS}, command
            if not placeholder(name):
                found = (kind, name, command.options.namespace) in known if command.options.namespace else (kind, name) in anywhere
                assert found, command


@pytest.mark.parametrize("runbook", ALL)
def test_labels_select_pods_and_containers_are_theirs(runbook, objects):
    for command in asked(runbook):
        selector, container = command.options.selector, command.options.container
        if not selector or "topology" in selector or (command.options.namespace, selector) in UNSEEN_PODS:
            continue
        wanted = dict(part.split("=") for part in selector.split(","))
        found = [o["spec"]["template"]["spec"] for o in objects if labels(o, command.options.namespace).items() >= wanted.items()]
        assert found, command
        names = {c["name"] for spec in found for c in spec["containers"]} | SIDECARS
        assert not container or container in names, command


def labels(item: dict, namespace: str) -> dict:
    """The labels of the pods that a workload creates in the namespace."""
    if item["metadata"].get("namespace") != namespace or not isinstance(item.get("spec", {}).get("template"), dict):
        return {}
    return item["spec"]["template"].get("metadata", {}).get("labels", {})
