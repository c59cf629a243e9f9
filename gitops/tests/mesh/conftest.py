import copy

import pytest
import yaml

from common.start import service
from lib import mesh, render


@pytest.fixture(scope="session")
def rendered() -> list[dict]:
    """Istio's objects of production, and the settings of its mesh."""
    apps = {a["metadata"]["name"]: a for a in render.applications("production", render.bridge("production"))}
    return [o for name in ("mesh", "birthday-api") for o in render.objects(apps[name], None, render.RELEASED)]


@pytest.fixture(scope="session")
def mesh_config(charts) -> str:
    """What istiod's own chart makes of our values."""
    istiod = next(a for a in render.applications("production", render.bridge("production")) if a["metadata"]["name"] == "istiod")
    maps = [o for o in render.objects(istiod, charts) if o["kind"] == "ConfigMap" and o["metadata"]["name"] == "istio"]
    # the instances have no sidecar, and so no certificate
    return yaml.safe_dump({**yaml.safe_load(maps[0]["data"]["mesh"]), "enableAutoMtls": False})


@pytest.fixture(scope="session")
def canary(rendered) -> dict:
    return next(o for o in rendered if o["kind"] == "Canary")


@pytest.fixture(scope="session")
def domain(rendered) -> str:
    return next(o for o in rendered if o["kind"] == "VirtualService" and o["metadata"]["name"] == "public")["spec"]["hosts"][0]


@pytest.fixture(scope="session")
def services(domain, tmp_path_factory):
    """Two instances of the service that share a database; the second is the canary."""
    folder, site = tmp_path_factory.mktemp("services"), f"https://{domain}"
    # on loopback, and without it, they would answer to localhost alone
    with service(folder, PUBLIC_URL=site) as primary, service(folder, PUBLIC_URL=site) as second:
        yield [primary, second]


@pytest.fixture(scope="session")
def istiod(rendered, canary, mesh_config, services, tmp_path_factory):
    istio = [copy.deepcopy(o) for o in rendered if ".istio.io/" in o["apiVersion"]]
    for gateway in (o for o in istio if o["kind"] == "Gateway"):
        gateway["spec"]["servers"][0]["bind"] = mesh.ADDRESS
    for rule in (o for o in istio if o["kind"] == "DestinationRule"):
        # the sidecars speak HTTP/2, the instances do not
        rule["spec"]["trafficPolicy"]["connectionPool"].get("http", {}).pop("h2UpgradePolicy", None)
    suffix = "birthday-api.svc.cluster.local"
    stands_in = [
        mesh.service_entry(f"birthday-api-primary.{suffix}", 80, services[0].port, ["127.0.0.1"]),
        mesh.service_entry(f"birthday-api-canary.{suffix}", 80, services[1].port, ["127.0.0.1"]),
        *mesh.gateway_workload(),
    ]
    running = mesh.Istiod(tmp_path_factory.mktemp("istiod"), [*istio, *stands_in, mesh.without_istio_only_filters()], mesh_config)
    running.write("flagger", [mesh.flagger_virtual_service(canary)])
    yield running
    running.close()


@pytest.fixture(scope="session")
def gateway(istiod, domain, tmp_path_factory):
    running = mesh.Gateway(tmp_path_factory.mktemp("envoy"), istiod)
    yield running
    running.close()
