"""Third-party charts with our values. Other tests check their schemas and projects, with everything else that is applied."""

from lib import render


def workloads(objects: list[dict]):
    for o in objects:
        if o["kind"] in ("Deployment", "DaemonSet", "StatefulSet", "Job"):
            yield o, o["spec"]["template"]["spec"]


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
