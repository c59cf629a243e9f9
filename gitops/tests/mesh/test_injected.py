"""Pods as the mesh makes them: Istio's own injector with the values that the tree ships, in front of a real API server with the
tree's namespaces, classes and admission policies."""

import copy
import json
import os
import re
import subprocess

import pytest
import yaml

from lib import cluster as c
from lib import mesh, render

# Their charts are in no package, so their pods' ports cannot be read here; `CHARTS=FOLDER tests/run fast` renders them.
NOT_VERIFIED = {"external-secrets", "argo-cd"}


@pytest.fixture(scope="module")
def tree(charts) -> dict[str, list[dict]]:
    """The objects of each Application, as far as charts can be had, with the namespace that Argo CD gives them."""
    found = {}
    for app in render.applications("production", render.bridge("production")):
        name, namespace = app["metadata"]["name"], app["spec"]["destination"]["namespace"]
        found[name] = render.objects(app, charts, render.RELEASED) or []
        for o in found[name]:
            o["metadata"].setdefault("namespace", namespace)
    return found


@pytest.fixture(scope="module")
def pods(tree, tmp_path_factory) -> list[dict]:
    """Every pod of a namespace whose pods get a sidecar, and istiod's."""
    folder = tmp_path_factory.mktemp("injector")
    injector = next(o for o in tree["istiod"] if o["kind"] == "ConfigMap" and o["metadata"]["name"] == "istio-sidecar-injector")
    mesh_config = next(o for o in tree["istiod"] if o["kind"] == "ConfigMap" and o["metadata"]["name"] == "istio")
    for name, text in (("config", injector["data"]["config"]), ("values", injector["data"]["values"]), ("mesh", mesh_config["data"]["mesh"])):
        (folder / name).write_text(text)
    injected = {o["metadata"]["name"] for o in tree["policies"] if o["kind"] == "Namespace" and "istio-injection" in o["metadata"]["labels"]}
    work = [o for them in tree.values() for o in them if o["kind"] in ("Deployment", "Job")]
    (folder / "all.yaml").write_text(yaml.safe_dump_all(o for o in work if o["metadata"]["namespace"] in injected))
    command = ["istioctl", "kube-inject", "-f", folder / "all.yaml", "--injectConfigFile", folder / "config", "--valuesFile", folder / "values"]
    istiod = next(o for o in work if o["metadata"]["name"] == "istiod")
    settings = {e["name"]: e["value"] for e in istiod["spec"]["template"]["spec"]["containers"][0]["env"] if "value" in e}
    environment = {**os.environ, "ENABLE_NATIVE_SIDECARS": settings["ENABLE_NATIVE_SIDECARS"]}
    done = subprocess.run([*command, "--meshConfigFile", folder / "mesh"], env=environment, text=True, capture_output=True, check=True, timeout=120)
    made = [*render.documents(done.stdout), istiod]
    return [{**o["spec"]["template"], "metadata": {**o["spec"]["template"]["metadata"], **{k: o["metadata"][k] for k in ("name", "namespace")}}} for o in made]


@pytest.fixture(scope="module")
def namespaces(tree):
    """What Argo CD has applied before any of these pods is made."""
    accounts = [o for them in tree.values() for o in them if o["kind"] == "ServiceAccount" and o["metadata"]["namespace"] != "kube-system"]
    istio = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    first = [istio, *(o for o in tree["policies"] if o["kind"] == "Namespace")]
    for objects in (first, [o for o in tree["policies"] if o not in first] + accounts):
        c.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(objects))


def test_the_api_server_lets_every_pod_into_its_restricted_namespace(pods, namespaces):
    assert {p["metadata"]["namespace"] for p in pods} == {"birthday-api", "istio-ingress", "flagger", "istio-system"}
    for pod in pods:
        if pod["metadata"]["namespace"] != "istio-system":
            assert any(i["name"] == "istio-proxy" for i in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]), pod["metadata"]["name"]
        c.eventually(f"{pod['metadata']['name']} is let in", lambda: c.kubectl(*CREATE, stdin=json.dumps({"apiVersion": "v1", "kind": "Pod", **pod})), 20)


def declared(pod: dict) -> set:
    """What prometheus-operator can select: ports that a container declares, by number and by name."""
    ports = [p for i in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]] for p in i.get("ports", [])]
    return {p["containerPort"] for p in ports} | {p.get("name") for p in ports}


def test_every_monitor_selects_a_port_of_a_pod(tree, pods):
    monitors = [o for o in tree["observability"] if o["kind"] == "PodMonitor"]
    for monitor in monitors:
        name, spec = monitor["metadata"]["name"], monitor["spec"]
        if name in NOT_VERIFIED:
            continue
        where = spec.get("namespaceSelector", {}).get("matchNames", [monitor["metadata"]["namespace"]])
        wanted = spec["selector"]["matchLabels"].items()
        selected = [p for p in pods if p["metadata"]["namespace"] in where and p["metadata"]["labels"].items() >= wanted]
        assert selected, name
        for pod in selected:
            for endpoint in spec["podMetricsEndpoints"]:
                assert endpoint.get("port", endpoint.get("portNumber")) in declared(pod), (name, pod["metadata"]["name"])


@pytest.fixture
def pod(pods, namespaces) -> dict:
    """The service's."""
    return {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(next(p for p in pods if p["metadata"]["name"] == "birthday-api"))}


@pytest.fixture
def running(pod):
    """One that stays: dry runs have no update."""
    pod["metadata"]["name"] = "running"
    c.kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    yield pod
    c.kubectl("delete", "pod", "running", "-n", "birthday-api", "--force", "--grace-period=0")


CREATE, PATCH = ("create", "--dry-run=server", "-f", "-"), ("patch", "pod", "running", "-n", "birthday-api", "--type=strategic")
FOREIGN = f"docker.io/library/busybox@{render.RELEASED}"


def refused(why: str, *args: str, **options) -> None:
    """A policy takes a moment until it is in force."""

    def asked() -> bool:
        try:
            c.kubectl(*args, **options)
        except RuntimeError as e:
            assert re.search(why, str(e)), e
            return True
        return False

    c.eventually(f"{args} is refused", asked, 30)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.split("@")[0] + ":1.0.0",
        lambda image: image.split("@")[0] + ":latest",
        lambda image: FOREIGN,
        lambda image: image.replace("/birthday-api@", "/birthday-api-evil@"),
        lambda image: "333333333333" + image[12:],
        lambda image: image + "0",
    ],
    ids=["tag", "latest", "foreign registry", "neighbour", "foreign account", "long digest"],
)
def test_another_image_is_refused(pod, change):
    service = pod["spec"]["containers"][0]
    service["image"], before = change(service["image"]), service["image"]
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


def test_a_pod_keeps_its_proxy_when_the_mesh_moves_on_but_gets_no_other(running, tree):
    policy = next(o for o in tree["policies"] if o["kind"] == "ConfigMap" and o["metadata"]["name"] == "image-policy")
    c.kubectl("patch", "configmap", "image-policy", "-n", "birthday-api", "--type=merge", "-p", '{"data":{"proxy":"docker.io/istio/proxyv2:1.32.0-distroless"}}')
    try:
        another = {**running, "metadata": {**running["metadata"], "name": "another"}}
        refused("the sidecar must be", *CREATE, stdin=json.dumps(another))
        c.kubectl("label", "pod", "running", "-n", "birthday-api", "seen=yes")
        image = {"spec": {"initContainers": [{"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.31.9-distroless"}]}}
        refused("the sidecar must be", *PATCH, "-p", json.dumps(image))
    finally:
        c.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(policy))


def test_a_container_without_a_limit_of_cpu_gets_none(running):
    made = c.get("pod", "running", "birthday-api")
    service = next(i for i in made["spec"]["containers"] if i["name"] == "birthday-api")
    assert "cpu" not in service["resources"]["limits"], "a LimitRange's maximum becomes the limit of who names none"
