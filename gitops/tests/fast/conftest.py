import os
import shutil
from pathlib import Path

import pytest
import yaml

from lib import render, schemas

# No package contains their charts. To check them too, set CHARTS to a folder of charts that `helm pull --untar` fetched.
NOT_VERIFIED = {
    "argo-cd", "aws-load-balancer-controller", "cloudwatch", "cluster-autoscaler", "external-secrets", "fluent-bit", "prometheus",
}  # fmt: skip
PULLED = Path(os.environ["CHARTS"]) if "CHARTS" in os.environ else None


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
    found = {a["metadata"]["name"]: render.objects(a, None, render.RELEASED) for a in applications}
    return {name: them for name, them in found.items() if them is not None}


@pytest.fixture(scope="session")
def service(objects) -> dict[tuple[str, str], dict]:
    """The service's chart as the environment renders it, by kind and name."""
    return {(o["kind"], o["metadata"]["name"]): o for o in objects["birthday-api"]}


@pytest.fixture(scope="session")
def platform(objects) -> dict[tuple[str, str], dict]:
    names = ("policies", "secrets", "mesh", "observability")
    return {(o["kind"], f"{o['metadata'].get('namespace', '')}/{o['metadata']['name']}"): o for n in names for o in objects[n]}


@pytest.fixture(scope="session")
def schema_folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("schemas")
    schemas.write(out, ["1.31", schemas.newest()])
    return out


@pytest.fixture(scope="session")
def third_party(applications, charts) -> dict[str, list[dict]]:
    """Objects of third-party charts with our values, by Application."""
    apps = {a["metadata"]["name"]: a for a in applications if "chart" in a["spec"]["source"]}
    missing = set(NOT_VERIFIED)
    for name, source in ((name, apps[name]["spec"]["source"]) for name in NOT_VERIFIED):
        if PULLED and (PULLED / source["chart"]).is_dir():
            shutil.copytree(PULLED / source["chart"], charts / source["chart"], dirs_exist_ok=True)
            version = yaml.safe_load((charts / source["chart"] / "Chart.yaml").read_text())["version"]
            assert version == source["targetRevision"], name
            missing.remove(name)
    found = {name: render.objects(app, charts) for name, app in apps.items()}
    print(f"not verified: {sorted(missing)}")
    assert {name for name, objects in found.items() if objects is None} == missing
    return {name: objects for name, objects in found.items() if objects}
