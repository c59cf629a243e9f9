"""Numbers and names that two places must agree on."""

import os
import re
import tomllib
from pathlib import Path

import pytest

from lib import render

SERVICE = Path(os.environ.get("SERVICE_SOURCE", render.GITOPS.parent))
service_is_here = pytest.mark.skipif(
    not (SERVICE / "Rocket.toml").exists(), reason="gitops is on its own: set SERVICE_SOURCE to the service's repository"
)


def container(service) -> dict:
    return service["Deployment", "birthday-api"]["spec"]["template"]["spec"]["containers"][0]


def settings(service) -> dict:
    """The ROCKET_* variables, parsed as the service parses them."""
    pairs = {e["name"].removeprefix("ROCKET_").lower(): e["value"] for e in container(service)["env"]}
    return {k: tomllib.loads(f"value = {v}")["value"] if v.startswith("{") else v for k, v in pairs.items()}


def seconds(duration: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(ms|s|m)", duration).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60}[unit]


def routes() -> set[str]:
    found = set()
    for file in (SERVICE / "src").rglob("*.rs"):
        found |= set(re.findall(r'#\[(?:get|put|post|delete)\("(/[^"?]*)', file.read_text()))
    return found


@service_is_here
def test_probes_ask_paths_that_the_service_has(service):
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container(service)[probe]["httpGet"]["path"] in routes()
    assert container(service)["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container(service)["readinessProbe"]["httpGet"]["path"] == "/readyz"


@service_is_here
def test_scraped_path_and_port_are_the_services(service):
    annotations = service["Deployment", "birthday-api"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] in routes()
    assert annotations["prometheus.io/port"] == settings(service)["port"] == str(container(service)["ports"][0]["containerPort"])


@service_is_here
def test_every_setting_is_one_that_the_service_reads(service):
    defaults = tomllib.loads((SERVICE / "Rocket.toml").read_text())["default"]
    optional = {"": {"public_url"}, "databases.birthdays": {"replica_url", "credentials", "migrate"}}

    def known(given: dict, has: dict, path: str = "") -> None:
        for key, value in given.items():
            where = f"{path}.{key}".lstrip(".")
            assert key in has or key in optional.get(path, set()), f"the service has no setting {where}"
            if isinstance(value, dict):
                known(value, has[key], where)

    known(settings(service), defaults)


@service_is_here
def test_time_limits_of_the_chart_are_the_services_own_defaults(service):
    defaults = tomllib.loads((SERVICE / "Rocket.toml").read_text())["default"]
    given = settings(service)
    assert given["shutdown"]["grace"] == defaults["shutdown"]["grace"] and given["shutdown"]["mercy"] == defaults["shutdown"]["mercy"]
    for key in ("connect_timeout", "query_timeout", "max_connections"):
        assert given["databases"]["birthdays"][key] == defaults["databases"]["birthdays"][key]


@service_is_here
def test_proxies_give_idle_connections_up_before_the_service_does(service, platform):
    source = (SERVICE / "src" / "http" / "server.rs").read_text()
    limit = int(re.search(r"NEXT_REQUEST: Duration = Duration::from_secs\((\d+)\)", source)[1])
    rule = service["DestinationRule", "birthday-api-primary-policy"]["spec"]["trafficPolicy"]["connectionPool"]["http"]
    sidecar = platform["Sidecar", "birthday-api/default"]["spec"]["inboundConnectionPool"]["http"]
    assert seconds(rule["idleTimeout"]) < limit and seconds(sidecar["idleTimeout"]) < limit


def test_a_pod_ends_by_itself_before_it_is_killed(service):
    given = settings(service)
    own = given["lifecycle"]["drain"] + given["shutdown"]["grace"] + given["shutdown"]["mercy"] + 1
    assert own < service["Deployment", "birthday-api"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]


def test_requests_in_flight_may_use_their_deadline(service):
    given = settings(service)
    deadline = given["databases"]["birthdays"]["connect_timeout"] + given["databases"]["birthdays"]["query_timeout"]
    assert given["shutdown"]["grace"] >= deadline
    assert seconds(service["Canary", "birthday-api"]["spec"]["service"]["timeout"]) > deadline


def test_a_draining_pod_is_noticed_within_the_drain(service):
    probe = container(service)["readinessProbe"]
    worst = probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    assert worst < settings(service)["lifecycle"]["drain"]


def test_the_request_limit_of_the_gateway_is_above_the_routes(service, platform):
    limits = platform["EnvoyFilter", "istio-ingress/limits"]["spec"]["configPatches"][0]["patch"]["value"]["typed_config"]
    timeout = seconds(service["Canary", "birthday-api"]["spec"]["service"]["timeout"])
    assert seconds(limits["stream_idle_timeout"]) > timeout
    assert seconds(limits["request_headers_timeout"]) <= seconds(limits["request_timeout"])


def test_public_routes_and_the_authorization_policy_name_the_same_paths(platform):
    matches = platform["VirtualService", "birthday-api/public"]["spec"]["http"][0]["match"]
    routed = {m["uri"].get("exact") or m["uri"]["prefix"] + "*" for m in matches}
    rule = platform["AuthorizationPolicy", "birthday-api/requests"]["spec"]["rules"][0]
    assert rule["from"][0]["source"]["principals"] == ["cluster.local/ns/istio-ingress/sa/istio-ingress"]
    assert routed == set(rule["to"][0]["operation"]["paths"])
    for private in ("/metrics", "/livez", "/readyz"):
        assert not any(private == p or (p.endswith("*") and private.startswith(p[:-1])) for p in routed)


@service_is_here
def test_every_route_of_the_service_is_public_or_private_on_purpose(platform):
    matches = platform["VirtualService", "birthday-api/public"]["spec"]["http"][0]["match"]
    private = {"/metrics", "/livez", "/readyz"}

    def public(path: str) -> bool:
        return any(path == m["uri"].get("exact") or path.startswith(m["uri"].get("prefix", "\0")) for m in matches)

    assert {r for r in routes() if not public(r)} == private


def test_the_quota_has_room_for_stable_and_canary_pods_at_once(service, platform):
    most = service["HorizontalPodAutoscaler", "birthday-api"]["spec"]["maxReplicas"]
    surge = -(-most * 34 // 100)
    quota = platform["ResourceQuota", "birthday-api/birthday-api"]["spec"]["hard"]
    pods = 2 * most + surge + 1
    assert int(quota["pods"]) >= pods
    own = container(service)["resources"]["requests"]["cpu"]
    sidecar = service["Deployment", "birthday-api"]["spec"]["template"]["metadata"]["annotations"]["sidecar.istio.io/proxyCPU"]
    assert float(quota["requests.cpu"]) * 1000 >= pods * sum(int(cpu.removesuffix("m")) for cpu in (own, sidecar))


ROLE = "eks.amazonaws.com/role-arn"


def accounts_with_a_role(node, namespace: str):
    """(namespace, name) of each service account that a chart's values give a role."""
    if isinstance(node, dict):
        if ROLE in (node.get("annotations") or {}):
            yield namespace, node.get("name")
        for value in node.values():
            yield from accounts_with_a_role(value, namespace)


terraform_is_here = pytest.mark.skipif(
    not (SERVICE / "terraform").is_dir(), reason="gitops is on its own: set SERVICE_SOURCE to the repository with terraform/"
)


@terraform_is_here
def test_the_load_balancer_speaks_http_to_the_gateway(platform):
    source = (SERVICE / "terraform" / "modules" / "edge" / "main.tf").read_text()
    [target] = re.findall(r'resource "aws_lb_target_group" "gateway" \{.*?\n  protocol += "(\w+)"', source, re.S)
    [server] = platform["Gateway", "istio-ingress/public"]["spec"]["servers"]
    assert target == server["port"]["protocol"] == "HTTP"


@terraform_is_here
def test_roles_go_to_the_service_accounts_that_terraform_trusts(applications, platform):
    source = (SERVICE / "terraform" / "modules" / "workloads" / "main.tf").read_text()
    trusted = set(re.findall(r'namespace\s*=\s*"([\w-]+)",?\s+service_account\s*=\s*"([\w-]+)"', source))
    found = {tuple(name.split("/")) for (kind, name), o in platform.items() if kind == "ServiceAccount" and ROLE in o["metadata"].get("annotations", {})}
    for app in applications:
        values = app["spec"]["source"].get("helm", {}).get("valuesObject", {})
        found |= set(accounts_with_a_role(values, app["spec"]["destination"]["namespace"]))
    assert found == trusted
