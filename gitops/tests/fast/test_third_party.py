"""Charts of third parties with our values, as far as their charts can be installed as parts of Go modules."""

import os
import shutil
from pathlib import Path

import pytest
import yaml

from fast.test_projects import allowed
from lib import render, schemas

# Their charts are in no package. CHARTS names a folder of charts that `helm pull --untar` fetched, to check them too.
NOT_VERIFIED = {
    "argo-cd", "aws-load-balancer-controller", "cloudwatch", "cluster-autoscaler", "external-secrets", "fluent-bit", "prometheus",
}  # fmt: skip
PULLED = Path(os.environ["CHARTS"]) if "CHARTS" in os.environ else None


@pytest.fixture(scope="module")
def all_charts(charts):
    for chart in PULLED.iterdir() if PULLED else ():
        shutil.copytree(chart, charts / chart.name, dirs_exist_ok=True)
    return charts


@pytest.fixture(scope="module")
def third_party(applications, all_charts) -> dict[str, list[dict]]:
    apps = {a["metadata"]["name"]: a for a in applications if "chart" in a["spec"]["source"]}
    pulled = {n for n in NOT_VERIFIED if PULLED and (PULLED / apps[n]["spec"]["source"]["chart"]).is_dir()}
    for name in pulled:
        source = apps[name]["spec"]["source"]
        version = yaml.safe_load((all_charts / source["chart"] / "Chart.yaml").read_text())["version"]
        assert version == source["targetRevision"], name
    found = {name: render.objects(app, all_charts) for name, app in apps.items()}
    missing = {name for name, objects in found.items() if objects is None}
    print(f"not verified: {sorted(missing)}")
    assert missing == NOT_VERIFIED - pulled
    return {name: objects for name, objects in found.items() if objects}


# Kubernetes publishes no strict schema of these, and the CRD of IngressClassParams is in no package.
WITHOUT_SCHEMA = {"CustomResourceDefinition", "APIService", "IngressClassParams"}


@pytest.mark.parametrize("version", ["1.31", schemas.newest()])
def test_what_they_make_fits_its_schema(third_party, schema_folder, tmp_path, version):
    """Of Kubernetes, and of the CRDs that come with the charts."""
    everything = [o for them in third_party.values() for o in them]
    schemas.custom_resources(everything, tmp_path)
    done = schemas.check([tmp_path, schema_folder], version, [o for o in everything if o["kind"] not in WITHOUT_SCHEMA])
    assert done.returncode == 0, done.stdout + done.stderr


def workloads(objects: list[dict]):
    for o in objects:
        if o["kind"] in ("Deployment", "DaemonSet", "StatefulSet", "Job"):
            yield o, o["spec"]["template"]["spec"]


def test_they_render_and_their_projects_allow_what_they_make(applications, objects, third_party):
    projects = {o["metadata"]["name"]: o["spec"] for o in objects["projects"]}
    for app in applications:
        for obj in third_party.get(app["metadata"]["name"], []):
            if obj["kind"] == "APIService":
                continue
            named = f"{app['metadata']['name']}: {obj['kind']} {obj['metadata']['name']}"
            assert allowed(projects[app["spec"]["project"]], obj, app["spec"]["destination"]["namespace"]), named


def test_every_controller_has_requests_and_a_memory_limit(third_party):
    for name, objects in third_party.items():
        for o, spec in workloads(objects):
            for c in spec["containers"]:
                resources = c.get("resources", {})
                assert {"cpu", "memory"} <= resources.get("requests", {}).keys(), (name, o["metadata"]["name"], c["name"])
                assert "memory" in resources.get("limits", {}), (name, o["metadata"]["name"], c["name"])


def test_istiod_has_the_settings_that_the_service_relies_on(third_party):
    mesh = next(o for o in third_party["istiod"] if o["kind"] == "ConfigMap" and o["metadata"]["name"] == "istio")
    config = render.documents(mesh["data"]["mesh"])[0]
    assert config["outboundTrafficPolicy"] == {"mode": "REGISTRY_ONLY"}
    assert config["defaultConfig"]["tracing"] == {"maxPathTagLength": 1}
