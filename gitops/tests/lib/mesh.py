"""What controllers make, for tests without them. A test on the cluster holds it equal."""


def flagger_virtual_service(canary: dict, primary: int = 100) -> dict:
    """What Flagger makes of a Canary."""
    service = canary["spec"]["service"]
    route = [
        {"destination": {"host": "birthday-api-primary"}, "weight": primary},
        {"destination": {"host": "birthday-api-canary"}, "weight": 100 - primary},
    ]
    http = [{"route": route, "timeout": service["timeout"], "retries": service["retries"]}]
    if match := canary["spec"]["analysis"].get("match"):
        http = [{**http[0], "match": match}, {**http[0], "route": route[:1]}]
    metadata = {"name": "birthday-api", "namespace": "birthday-api"}
    return {"apiVersion": "networking.istio.io/v1alpha3", "kind": "VirtualService", "metadata": metadata, "spec": {"http": http}}
