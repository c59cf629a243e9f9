"""What the API server lets into the service's namespace."""

import json

import pytest

from lib import cluster as c

pytestmark = pytest.mark.usefixtures("installed")
DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def pod(applications) -> dict:
    repository = next(
        a["spec"]["source"]["helm"]["valuesObject"]["image"]["repository"]
        for a in applications
        if a["metadata"]["name"] == "birthday-api"
    )
    container = {
        "name": "birthday-api",
        "image": f"{repository}@{DIGEST}",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    metadata = {"name": "admission", "namespace": c.NAMESPACE}
    spec = {"securityContext": security, "containers": [container], "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def create(pod: dict) -> None:
    c.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))


def refused(pod: dict, why: str) -> None:
    with pytest.raises(RuntimeError, match=why):
        create(pod)


def sidecar(image: str, name: str = "istio-proxy") -> dict:
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    limits = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}}
    return {"name": name, "image": image, "restartPolicy": "Always", "securityContext": security, "resources": limits}


def test_our_image_by_digest_is_let_in(pod):
    create(pod)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.split("@")[0] + ":1.0.0",
        lambda image: image.split("@")[0] + ":latest",
        lambda image: "docker.io/library/busybox@" + DIGEST,
        lambda image: image.replace("/birthday-api@", "/birthday-api-evil@"),
        lambda image: image.replace("111111111111", "333333333333").replace("222222222222", "333333333333"),
        lambda image: image + "0",
    ],
    ids=["tag", "latest", "foreign registry", "neighbour", "foreign account", "long digest"],
)
def test_another_image_is_refused(pod, change):
    pod["spec"]["containers"][0]["image"] = change(pod["spec"]["containers"][0]["image"])
    refused(pod, "by digest and not by tag|couldn't parse image")


def test_an_init_container_hides_nothing(pod):
    pod["spec"]["initContainers"] = [sidecar("docker.io/library/busybox@" + DIGEST, "innocent")]
    refused(pod, "by digest and not by tag")


def test_privileges_are_refused_even_without_the_label_on_the_namespace(pod):
    labels = "pod-security.kubernetes.io/enforce"
    pause = "argocd.argoproj.io/skip-reconcile"  # or the label is healed before the pod is asked for
    c.kubectl("annotate", "application.argoproj.io", "policies", "-n", "argocd", f"{pause}=true")
    c.kubectl("label", "namespace", c.NAMESPACE, f"{labels}=privileged", "--overwrite")
    try:
        pod["spec"]["volumes"] = [{"name": "node", "hostPath": {"path": "/"}}]
        refused(pod, "have no access to the node's files")
    finally:
        c.kubectl("label", "namespace", c.NAMESPACE, f"{labels}=restricted", "--overwrite")
        c.kubectl("annotate", "application.argoproj.io", "policies", "-n", "argocd", f"{pause}-")


def test_a_debug_container_is_refused():
    name = c.serving_pods()[0]["metadata"]["name"]
    debug = sidecar("docker.io/library/busybox@" + DIGEST, "debug")
    del debug["restartPolicy"], debug["resources"]
    patch = json.dumps({"spec": {"ephemeralContainers": [debug]}})
    with pytest.raises(RuntimeError, match="by digest and not by tag|debug containers are not allowed"):
        c.kubectl("patch", "pod", name, "-n", c.NAMESPACE, "--subresource=ephemeralcontainers", "--type=strategic", "-p", patch)


def test_a_pod_larger_than_the_limit_is_refused(pod):
    pod["spec"]["containers"][0]["resources"] = {"requests": {"memory": "2Gi", "cpu": "1"}, "limits": {"memory": "2Gi"}}
    refused(pod, "maximum memory usage per Container is 1Gi")
