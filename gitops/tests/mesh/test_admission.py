"""Which pods the admission policies allow in the service's namespace, on a real API server without Argo CD, which would
revert the changes made here. nodes/ tests the pods that Istio's injector creates."""

import copy
import json
import re

import pytest
import yaml

from lib import cluster as c
from lib import render

APPS = {a["metadata"]["name"]: a for a in render.applications("production", render.bridge("production"))}
INJECTED = APPS["istiod"]["spec"]["source"]["helm"]["valuesObject"]["global"]
VERSION = INJECTED["tag"]
MAJOR, MINOR, _ = map(int, VERSION.split("."))
# what istiod injects
PROXY = f"{INJECTED['hub']}/proxyv2:{{}}-{INJECTED['variant']}"


@pytest.fixture(scope="module")
def tree() -> list[dict]:
    """The policies and the service; applies what pods need of them."""
    policies, service = (render.objects(APPS[name], None, render.RELEASED) for name in ("policies", "birthday-api"))
    for o in policies + service:
        o["metadata"].setdefault("namespace", "birthday-api")
    first = [o for o in policies if o["kind"] == "Namespace"]
    for objects in (first, [o for o in policies if o not in first] + [o for o in service if o["kind"] == "ServiceAccount"]):
        c.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(objects))
    return policies + service


@pytest.fixture(scope="module")
def image_policy(tree) -> dict:
    return next(o for o in tree if o["kind"] == "ConfigMap" and o["metadata"]["name"] == "image-policy")


@pytest.fixture
def pod(tree) -> dict:
    """A pod of the service, with a sidecar as the injector adds it."""
    template = copy.deepcopy(next(o for o in tree if o["kind"] == "Deployment")["spec"]["template"])
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    proxy = {"name": "istio-proxy", "image": PROXY.format(VERSION), "restartPolicy": "Always", "securityContext": security,
             "resources": template["spec"]["containers"][0]["resources"]}  # fmt: skip
    metadata = {"name": "birthday-api", "namespace": "birthday-api", "labels": template["metadata"]["labels"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**template["spec"], "initContainers": [proxy]}}


@pytest.fixture
def running(pod):
    """A pod that exists: a dry run cannot create one to update."""
    pod["metadata"]["name"] = "running"
    c.kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    yield pod
    c.kubectl("delete", "pod", "running", "-n", "birthday-api", "--force", "--grace-period=0")


CREATE, PATCH = ("create", "--dry-run=server", "-f", "-"), ("patch", "pod", "running", "-n", "birthday-api", "--type=strategic")
FOREIGN = f"docker.io/library/busybox@{render.RELEASED}"


def refused(why: str, *args: str, **options) -> None:
    """Retries, because a policy takes a moment to take effect."""

    def asked() -> bool:
        try:
            c.kubectl(*args, **options)
        except RuntimeError as e:
            assert re.search(why, str(e)), e
            return True
        return False

    c.eventually(f"{args} is refused", asked, 30)


@pytest.mark.parametrize(("old", "new"), [
    ("@.*", ":1.0.0"), ("@.*", ":latest"), (".+", FOREIGN), ("/birthday-api@", "/birthday-api-evil@"), (r"^\d{12}", "333333333333"), ("$", "0"),
], ids=["tag", "latest", "foreign registry", "neighbour", "foreign account", "long digest"])  # fmt: skip
def test_another_image_is_refused(pod, old, new):
    service = pod["spec"]["containers"][0]
    service["image"], before = re.sub(old, new, service["image"], count=1), service["image"]
    assert service["image"] != before
    refused("by digest and not by tag|couldn't parse image", *CREATE, stdin=json.dumps(pod))


def test_neither_an_init_container_nor_a_debug_container_hides_another_image(running):
    other = {key: value for key, value in running["spec"]["containers"][0].items() if not key.endswith("Probe")}
    other |= {"name": "innocent", "image": FOREIGN}
    hidden = {**running["spec"], "initContainers": [*running["spec"]["initContainers"], other]}
    refused("by digest and not by tag", *CREATE, stdin=json.dumps({**running, "metadata": {"name": "another", "namespace": "birthday-api"}, "spec": hidden}))
    debug = {"name": "debug", "image": FOREIGN, "securityContext": other["securityContext"]}
    patch = json.dumps({"spec": {"ephemeralContainers": [debug]}})
    refused("by digest and not by tag|debug containers are not allowed", *PATCH, "--subresource=ephemeralcontainers", "-p", patch)


def test_access_to_the_node_is_refused_even_without_the_label_on_the_namespace(pod):
    level = "pod-security.kubernetes.io/enforce"
    c.kubectl("label", "namespace", "birthday-api", f"{level}=privileged", "--overwrite")
    try:
        pod["spec"]["volumes"].append({"name": "node", "hostPath": {"path": "/"}})
        refused("have no access to the node's files", *CREATE, stdin=json.dumps(pod))
    finally:
        c.kubectl("label", "namespace", "birthday-api", f"{level}=restricted", "--overwrite")


def test_a_pod_larger_than_the_limit_is_refused(pod):
    pod["spec"]["containers"][0]["resources"]["limits"]["memory"] = "2Gi"
    refused("maximum memory usage per Container is 1Gi", *CREATE, stdin=json.dumps(pod))


@pytest.mark.parametrize("step", [-1, 0, 1])
def test_a_pod_is_created_with_the_former_the_present_or_the_next_proxy(pod, step):
    """The policy is in an earlier wave than istiod, which injects the former proxy until its own upgrade; after a revert, the next one."""
    pod["spec"]["initContainers"][0]["image"] = PROXY.format(f"{MAJOR}.{MINOR + step}.7")
    c.kubectl(*CREATE, stdin=json.dumps(pod))


@pytest.mark.parametrize("image", [
    PROXY.format(f"{MAJOR}.{MINOR - 2}.0"), PROXY.format(f"{MAJOR}.{MINOR + 2}.0"), "docker.io/evil/" + PROXY.format(VERSION),
    PROXY.format(VERSION) + "-evil", PROXY.format(VERSION + "-rc.1"), PROXY.format(VERSION).replace("proxyv2", "pilot"),
    PROXY.format(VERSION).replace(".", "x", 1), PROXY.format(VERSION) + "@" + render.RELEASED, FOREIGN,
])  # fmt: skip
def test_another_sidecar_is_refused(pod, image):
    pod["spec"]["initContainers"][0]["image"] = image
    refused("the sidecar must match", *CREATE, stdin=json.dumps(pod))


def test_a_pod_keeps_its_proxy_when_the_mesh_moves_on_but_gets_no_other(running, image_policy):
    newer = json.dumps({"data": {"proxy": f"docker[.]io/istio/proxyv2:{MAJOR}[.]{MINOR + 2}[.][0-9]+-distroless"}})
    c.kubectl("patch", "configmap", "image-policy", "-n", "birthday-api", "--type=merge", "-p", newer)
    try:
        another = {**running, "metadata": {**running["metadata"], "name": "another"}}
        refused("the sidecar must match", *CREATE, stdin=json.dumps(another))
        c.kubectl("label", "pod", "running", "-n", "birthday-api", "seen=yes")
        image = {"spec": {"initContainers": [{"name": "istio-proxy", "image": PROXY.format(f"{MAJOR}.{MINOR}.99")}]}}
        refused("the sidecar must match", *PATCH, "-p", json.dumps(image))
    finally:
        c.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(image_policy))


def test_a_container_without_a_limit_of_cpu_gets_none(running):
    made = c.get("pod", "running", "birthday-api")
    service = next(i for i in made["spec"]["containers"] if i["name"] == "birthday-api")
    assert "cpu" not in service["resources"]["limits"], "a LimitRange's maximum becomes the limit of a container that sets none"
