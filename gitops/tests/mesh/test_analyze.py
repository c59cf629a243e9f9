"""istioctl finds nothing in the whole tree, and finds deliberate mistakes."""

import copy
import subprocess

import pytest
import yaml

from lib import render


def flagger_virtual_service(canary: dict) -> dict:
    """The VirtualService that Flagger creates for a Canary."""
    service = canary["spec"]["service"]
    route = [{"destination": {"host": f"birthday-api-{version}"}, "weight": weight} for version, weight in (("primary", 100), ("canary", 0))]
    spec = {"http": [{"route": route, "timeout": service["timeout"], "retries": service["retries"]}]}
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "birthday-api", "namespace": "birthday-api"}, "spec": spec}


def everything(environment: str, charts) -> list[dict]:
    apps = render.applications(environment, render.bridge(environment))
    found = [o for a in apps for o in render.objects(a, charts, render.RELEASED) or []]
    canary = next(o for o in found if o["kind"] == "Canary")
    # objects that controllers create: Flagger's route and Services, and the gateway's pod
    made = [flagger_virtual_service(canary)]
    for version in ("", "-primary", "-canary"):
        ports = [{"name": "http", "port": 80, "targetPort": "http", "appProtocol": "http"}]
        metadata = {"name": f"birthday-api{version}", "namespace": "birthday-api"}
        made.append({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": {"app": version or "x"}, "ports": ports}})
    pod = {"name": "istio-ingress-0", "namespace": "istio-ingress", "labels": {"istio": "ingress", "app": "istio-ingress"}}
    gateway = next(o for o in found if o["kind"] == "Deployment" and o["metadata"]["name"] == "istio-ingress")
    made.append({"apiVersion": "v1", "kind": "Pod", "metadata": pod, "spec": gateway["spec"]["template"]["spec"]})
    return [*found, *made]


@pytest.fixture(scope="module", params=["staging", "production"])
def tree(request, charts) -> list[dict]:
    return everything(request.param, charts)


def analyze(objects: list[dict], folder) -> tuple[int, str]:
    file = folder / "tree.yaml"
    file.write_text(yaml.safe_dump_all(o for o in objects if o["kind"] != "CustomResourceDefinition"))
    command = ["istioctl", "analyze", "--use-kube=false", "--failure-threshold=Info", "-A", str(file)]
    done = subprocess.run(command, text=True, capture_output=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_the_tree_has_no_finding(tree, tmp_path):
    code, text = analyze(tree, tmp_path)
    assert code == 0 and "No validation issues found" in text, text


@pytest.mark.parametrize(("kind", "name", "edit", "code"), [
    ("VirtualService", "public", lambda s: s.update(gateways=["istio-ingress/missing"]), "IST0101"),
    ("Gateway", "public", lambda s: s["servers"][0]["port"].update(protocol="HTPP"), "IST0106"),
])  # fmt: skip
def test_a_mistake_is_found(tree, tmp_path, kind, name, edit, code):
    changed = copy.deepcopy(tree)
    edit(next(o for o in changed if o["kind"] == kind and o["metadata"]["name"] == name)["spec"])
    exit_code, text = analyze(changed, tmp_path)
    assert exit_code != 0 and code in text, text
