"""Pods as the mesh makes them: Istio's own injector with the values that the tree ships, in front of a real API server with the
tree's namespaces, classes and admission policies."""

import json
import os
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
        spec = {"apiVersion": "v1", "kind": "Pod", **pod}
        if pod["metadata"]["namespace"] != "istio-system":
            assert any(i["name"] == "istio-proxy" for i in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]), pod["metadata"]["name"]
        c.eventually(f"{pod['metadata']['name']} is let in", lambda: c.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(spec)), 20)


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
def running(pods, namespaces):
    """A pod of the service that stays: dry runs have no update."""
    pod = json.loads(json.dumps(next(p for p in pods if p["metadata"]["name"] == "birthday-api")))
    pod["metadata"]["name"] = "running"
    c.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Pod", **pod}))
    yield pod
    c.kubectl("delete", "pod", "running", "-n", "birthday-api", "--force", "--grace-period=0")


def test_a_pod_keeps_its_proxy_when_the_mesh_moves_on_but_gets_no_other(running, tree):
    policy = next(o for o in tree["policies"] if o["kind"] == "ConfigMap" and o["metadata"]["name"] == "image-policy")
    c.kubectl("patch", "configmap", "image-policy", "-n", "birthday-api", "--type=merge", "-p", '{"data":{"proxy":"docker.io/istio/proxyv2:1.32.0-distroless"}}')
    try:
        pod = json.dumps({"apiVersion": "v1", "kind": "Pod", **running, "metadata": {**running["metadata"], "name": "another"}})
        c.eventually("the policy has moved on", lambda: refused("create", "--dry-run=server", "-f", "-", stdin=pod), 30)
        c.kubectl("label", "pod", "running", "-n", "birthday-api", "seen=yes")
        image = {"spec": {"initContainers": [{"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.31.9-distroless"}]}}
        assert refused("patch", "pod", "running", "-n", "birthday-api", "--type=strategic", "-p", json.dumps(image))
    finally:
        c.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(policy))


def refused(*args: str, **options) -> bool:
    try:
        c.kubectl(*args, **options)
    except RuntimeError as e:
        assert "the sidecar must be" in str(e), e
        return True
    return False


def test_a_container_without_a_limit_of_cpu_gets_none(running):
    made = c.get("pod", "running", "birthday-api")
    service = next(i for i in made["spec"]["containers"] if i["name"] == "birthday-api")
    assert "cpu" not in service["resources"]["limits"], "a LimitRange's maximum becomes the limit of who names none"
