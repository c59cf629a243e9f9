"""What each environment renders to."""

import os
import shutil

import pytest
import yaml

from lib import render

# No package contains their charts. To check them too, set CHARTS to a folder of charts that `helm pull --untar` fetched.
NOT_VERIFIED = {
    "argo-cd", "aws-load-balancer-controller", "cloudwatch", "cluster-autoscaler", "external-secrets", "fluent-bit", "prometheus",
}  # fmt: skip


@pytest.fixture(scope="session", params=["staging", "production"])
def environment(request) -> str:
    return request.param


@pytest.fixture(scope="session")
def bridge(environment) -> dict:
    return render.bridge(environment)


@pytest.fixture(scope="session")
def applications(environment, bridge) -> list[dict]:
    return render.applications(environment, bridge)


@pytest.fixture(scope="session")
def objects(applications) -> dict[str, list[dict]]:
    """Everything of this repository that Argo CD applies, by Application."""
    return {a["metadata"]["name"]: render.objects(a, None, render.RELEASED) for a in applications if "path" in a["spec"]["source"]}


@pytest.fixture(scope="session")
def service(objects) -> dict[tuple[str, str], dict]:
    """The service's chart as the environment renders it, by kind and name."""
    return {(o["kind"], o["metadata"]["name"]): o for o in objects["birthday-api"]}


@pytest.fixture(scope="session")
def platform(objects) -> dict[tuple[str, str], dict]:
    names = ("policies", "secrets", "mesh", "observability")
    return {(o["kind"], f"{o['metadata'].get('namespace', '')}/{o['metadata']['name']}"): o for n in names for o in objects[n]}


@pytest.fixture(scope="session")
def third_party(applications, charts) -> dict[str, list[dict]]:
    """Objects of third-party charts with our values, by Application."""
    if "CHARTS" in os.environ:
        shutil.copytree(os.environ["CHARTS"], charts, dirs_exist_ok=True)
    found, missing = {}, set()
    for app in (a for a in applications if "chart" in a["spec"]["source"]):
        name, source = app["metadata"]["name"], app["spec"]["source"]
        if not (charts / source["chart"]).is_dir():
            missing.add(name)
            continue
        assert yaml.safe_load((charts / source["chart"] / "Chart.yaml").read_text())["version"] == source["targetRevision"], name
        found[name] = render.objects(app, charts)
    print(f"not verified: {sorted(missing)}")
    assert missing <= NOT_VERIFIED
    return found
