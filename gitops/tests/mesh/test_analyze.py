"""istioctl finds nothing in the whole tree."""

import subprocess

import pytest
import yaml

from lib import render


def by_controllers(objects: list[dict]) -> list[dict]:
    """What Flagger makes of the Canary, and a pod of the gateway."""
    canary = next(o for o in objects if o["kind"] == "Canary")["spec"]["service"]
    weights = {"birthday-api-primary": 100, "birthday-api-canary": 0}
    route = [{"destination": {"host": host}, "weight": weight} for host, weight in weights.items()]
    http = [{"route": route, "timeout": canary["timeout"], "retries": canary["retries"]}]
    ports = [{"name": "http", "port": 80, "targetPort": "http", "appProtocol": "http"}]
    gateway = next(o for o in objects if o["kind"] == "Deployment" and o["metadata"]["name"] == "istio-ingress")["spec"]["template"]["spec"]
    return [
        made("networking.istio.io/v1", "VirtualService", "birthday-api", "birthday-api", {"http": http}),
        *(made("v1", "Service", "birthday-api", host, {"selector": {"app": host}, "ports": ports}) for host in ("birthday-api", *weights)),
        made("v1", "Pod", "istio-ingress", "istio-ingress-0", gateway, {"istio": "ingress", "app": "istio-ingress"}),
    ]


def made(api: str, kind: str, namespace: str, name: str, spec: dict, labels: dict | None = None) -> dict:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace, "labels": labels or {}}, "spec": spec}


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_the_tree_has_no_finding(environment, charts, tmp_path):
    apps = render.applications(environment, render.bridge(environment))
    objects = [o for a in apps for o in render.objects(a, charts, render.RELEASED) or []]
    tree = tmp_path / "tree.yaml"
    tree.write_text(yaml.safe_dump_all(o for o in objects + by_controllers(objects) if o["kind"] != "CustomResourceDefinition"))
    command = ["istioctl", "analyze", "--use-kube=false", "--failure-threshold=Info", "-A", tree]
    done = subprocess.run(command, text=True, capture_output=True, timeout=120)
    assert done.returncode == 0 and "No validation issues found" in done.stdout + done.stderr, done.stdout + done.stderr
