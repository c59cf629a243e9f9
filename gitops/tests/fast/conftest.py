import pytest

from lib import render, schemas


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
