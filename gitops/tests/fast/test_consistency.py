"""Numbers and names that two places must agree on."""

import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from lib import render


@pytest.fixture(scope="session")
def source() -> Path:
    """The repository of the service and of terraform/."""
    found = Path(os.environ.get("SERVICE_SOURCE", render.GITOPS.parent))
    if not (found / "Rocket.toml").exists():
        pytest.skip("gitops is on its own: set SERVICE_SOURCE to the service's repository")
    return found


@pytest.fixture(scope="session")
def defaults(source) -> dict:
    """The service's own settings."""
    return tomllib.loads((source / "Rocket.toml").read_text())["default"]


@pytest.fixture(scope="session")
def routes(source) -> set[str]:
    return {path for file in (source / "src").rglob("*.rs") for path in re.findall(r'#\[(?:get|put|post|delete)\("(/[^"?]*)', file.read_text())}


@pytest.fixture(scope="session")
def pods(service) -> dict:
    """The template of the service's pods."""
    return service["Deployment", "birthday-api"]["spec"]["template"]


@pytest.fixture(scope="session")
def container(pods) -> dict:
    return pods["spec"]["containers"][0]


@pytest.fixture(scope="session")
def settings(container) -> dict:
    """The ROCKET_* variables, parsed as the service parses them."""
    pairs = {e["name"].removeprefix("ROCKET_").lower(): e["value"] for e in container["env"]}
    return {k: tomllib.loads(f"value = {v}")["value"] if v.startswith("{") else v for k, v in pairs.items()}


@pytest.fixture(scope="session")
def public(platform) -> list[dict]:
    """The paths of the public route."""
    return [m["uri"] for m in platform["VirtualService", "birthday-api/public"]["spec"]["http"][0]["match"]]


def seconds(duration: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(ms|s|m)", duration).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60}[unit]


def test_the_version_of_the_chart_is_the_services(source):
    chart = yaml.safe_load((render.GITOPS / "charts/birthday-api/Chart.yaml").read_text())
    assert chart["appVersion"] == tomllib.loads((source / "Cargo.toml").read_text())["package"]["version"]


def test_probes_and_prometheus_ask_paths_that_the_service_has(pods, container, settings, routes):
    paths = {probe: container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    scraped = pods["metadata"]["annotations"]
    assert {*paths.values(), scraped["prometheus.io/path"]} <= routes
    assert scraped["prometheus.io/port"] == settings["port"] == str(container["ports"][0]["containerPort"])


def test_time_limits_of_the_chart_are_the_services_own_defaults(settings, defaults):
    assert settings["shutdown"].items() <= defaults["shutdown"].items()
    for key in ("connect_timeout", "query_timeout", "max_connections"):
        assert settings["databases"]["birthdays"][key] == defaults["databases"]["birthdays"][key]


def test_proxies_give_idle_connections_up_before_the_service_does(service, platform, defaults):
    limit = defaults["keep_alive"]
    rule = service["DestinationRule", "birthday-api-primary-policy"]["spec"]["trafficPolicy"]["connectionPool"]["http"]
    sidecar = platform["Sidecar", "birthday-api/default"]["spec"]["inboundConnectionPool"]["http"]
    assert seconds(rule["idleTimeout"]) < limit and seconds(sidecar["idleTimeout"]) < limit


def test_a_pod_ends_by_itself_before_it_is_killed(pods, settings):
    own = settings["lifecycle"]["drain"] + settings["shutdown"]["grace"] + settings["shutdown"]["mercy"] + 1
    assert own < pods["spec"]["terminationGracePeriodSeconds"]


def test_requests_in_flight_may_use_their_deadline(service, platform, settings):
    deadline = settings["databases"]["birthdays"]["connect_timeout"] + settings["databases"]["birthdays"]["query_timeout"]
    route = seconds(service["Canary", "birthday-api"]["spec"]["service"]["timeout"])
    gateway = platform["EnvoyFilter", "istio-ingress/limits"]["spec"]["configPatches"][0]["patch"]["value"]["typed_config"]
    assert deadline < route < seconds(gateway["stream_idle_timeout"])
    assert seconds(gateway["request_headers_timeout"]) <= seconds(gateway["request_timeout"])


def test_a_draining_pod_is_noticed_within_the_drain(container, settings):
    probe = container["readinessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"] < settings["lifecycle"]["drain"]


def test_public_routes_and_the_authorization_policy_name_the_same_paths(platform, public):
    rule = platform["AuthorizationPolicy", "birthday-api/requests"]["spec"]["rules"][0]
    assert rule["from"][0]["source"]["principals"] == ["cluster.local/ns/istio-ingress/sa/istio-ingress"]
    assert {uri.get("exact") or uri["prefix"] + "*" for uri in public} == set(rule["to"][0]["operation"]["paths"])


def test_every_route_of_the_service_is_public_or_private_on_purpose(public, routes):
    private = {r for r in routes if not any(r == uri.get("exact") or r.startswith(uri.get("prefix", "\0")) for uri in public)}
    assert private == {"/metrics", "/livez", "/readyz"}


def test_the_quota_has_room_for_stable_and_canary_pods_at_once(service, platform, pods, container):
    most = service["HorizontalPodAutoscaler", "birthday-api"]["spec"]["maxReplicas"]
    surge = -(-most * 34 // 100)
    needed = 2 * most + surge + 1
    quota = platform["ResourceQuota", "birthday-api/birthday-api"]["spec"]["hard"]
    assert int(quota["pods"]) >= needed
    cpu = [container["resources"]["requests"]["cpu"], pods["metadata"]["annotations"]["sidecar.istio.io/proxyCPU"]]
    assert float(quota["requests.cpu"]) * 1000 >= needed * sum(int(request.removesuffix("m")) for request in cpu)


def test_the_load_balancer_speaks_http_to_the_gateway(platform, source):
    edge = (source / "terraform/modules/edge/main.tf").read_text()
    [target] = re.findall(r'resource "aws_lb_target_group" "gateway" \{.*?\n  protocol += "(\w+)"', edge, re.S)
    [server] = platform["Gateway", "istio-ingress/public"]["spec"]["servers"]
    assert target == server["port"]["protocol"] == "HTTP"


def test_the_autoscaler_is_of_the_clusters_version_or_of_a_neighbour(applications, environment, source):
    """It simulates the scheduler. During an upgrade Terraform changes the cluster first, and Argo CD the autoscaler after it."""
    cluster = re.search(r'^kubernetes_version *= "1\.(\d+)"', (source / f"terraform/environments/{environment}/terraform.tfvars").read_text(), re.M)[1]
    [version] = [a["spec"]["source"]["targetRevision"] for a in applications if a["metadata"]["name"] == "cluster-autoscaler"]
    charts = yaml.safe_load((render.GITOPS / "tests/charts.yaml").read_text())["charts"]
    [made_for] = [c["kubernetes"] for c in charts if (c["chart"], c["version"]) == ("cluster-autoscaler", version)]
    assert abs(int(made_for.removeprefix("1.")) - int(cluster)) <= 1


def test_roles_go_to_the_service_accounts_that_terraform_trusts(applications, platform, source):
    workloads = (source / "terraform/modules/workloads/main.tf").read_text()
    trusted = set(re.findall(r'namespace\s*=\s*"([\w-]+)",?\s+service_account\s*=\s*"([\w-]+)"', workloads))
    assert {account for account, _ in render.roles([*platform.values(), *applications])} == trusted


def test_the_tear_down_deletes_the_canary_before_argo_cd_deletes_its_deployment(service, source):
    """Flagger's finalizer waits for that Deployment for ever. Argo CD deletes nothing of the service while the Canary is there."""
    canary = service["Canary", "birthday-api"]
    assert canary["metadata"]["annotations"] == {"argocd.argoproj.io/sync-options": "Prune=confirm"} and canary["spec"]["revertOnDeletion"]
    commands = re.findall(r"^kubectl (.+?)(?: +#.*)?$", (source / "docs/runbooks/tear-down.md").read_text(), re.M)
    first = commands.index("delete application birthday-api -n argocd --wait=false")
    assert commands[first + 1 : first + 5] == [
        """patch canary birthday-api -n birthday-api --type merge -p '{"spec":{"revertOnDeletion":false}}'""",
        "delete canary birthday-api -n birthday-api",
        "wait --for=delete application/birthday-api -n argocd --timeout=10m",
        "delete applications --all -n argocd",
    ]
