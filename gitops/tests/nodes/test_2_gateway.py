"""What is reachable from outside, and how the gateway handles slow clients and large requests."""

import json
import socket
import time

import pytest

from lib import cluster as c
from nodes.conftest import envoy, gateways

pytestmark = pytest.mark.usefixtures("installed")


@pytest.fixture
def ask(user):
    return user().request


def test_a_birthday_is_saved_read_and_deleted_through_the_gateway(user):
    client = user()
    assert client.save("Gateway", "2000-02-29").status == 204
    answer = client.find("Gateway")
    assert answer.status == 200 and json.loads(answer.body)["message"].startswith("Hello, Gateway!")
    assert client.request("GET", "/hello/Gateway/birthday.ics").status == 200
    assert client.request("DELETE", "/hello/Gateway").status == 204
    assert client.find("Gateway").status == 404


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/hello/metrics", "/hello/readyz"])
def test_a_public_path_is_answered_by_the_service(ask, path):
    answer = ask("GET", path)
    assert "x-envoy" not in str(answer.headers) and "server" not in answer.headers
    assert answer.headers["strict-transport-security"]


@pytest.mark.parametrize("path", [
    "/metrics", "/livez", "/readyz", "//metrics", "/./metrics", "/hello/../metrics", "/hello/..%2fmetrics", "/hello/%2e%2e/metrics",
    "/docs/../metrics", "/docs/..%5cmetrics", "/%6detrics", "/metrics/", "/metrics?x=/hello/a", "/metrics;/hello/", "/METRICS",
    "/hello/%2e%2e%2fmetrics", "/hello//../..//metrics", "/admin", "/hello",
])  # fmt: skip
def test_nothing_private_is_reachable_from_outside(ask, path):
    answer = ask("GET", path)
    assert answer.status in (400, 404), answer.body[:200]
    assert "# TYPE" not in answer.body and "# HELP" not in answer.body


@pytest.mark.parametrize("host", ["evil.example.com", "birthday-api-primary.birthday-api.svc.cluster.local"])
def test_another_host_is_refused(ask, host):
    assert ask("GET", "/docs", headers={"Host": host}).status == 404


def gateway() -> dict:
    return next(p for p in c.items("pods", "istio-ingress", "istio=ingress") if c.ready(p))


def test_the_route_has_the_time_out_and_the_retries_of_git():
    service = c.get("canary.flagger.app", "birthday-api", c.NAMESPACE)["spec"]["service"]
    dump = json.loads(envoy(gateway(), "config_dump?resource=dynamic_route_configs"))
    found = [r for x in dump["configs"] for v in x["route_config"]["virtual_hosts"] for r in v.get("routes", []) if r.get("name") == "public"]
    assert len(found) == 6
    for route in (r["route"] for r in found):
        assert route["timeout"] == service["timeout"] and route["retry_policy"]["num_retries"] == service["retries"]["attempts"]
        assert set(route["retry_policy"]["retry_on"].split(",")) == set(service["retries"]["retryOn"].split(","))


@pytest.mark.parametrize("version", ["primary", "canary"])
def test_the_traffic_policy_of_git_holds_beside_flaggers_empty_rule(version):
    dump = json.loads(envoy(gateway(), "config_dump?resource=dynamic_active_clusters"))["configs"]
    cluster = next(x["cluster"] for x in dump if x["cluster"]["name"].endswith(f"birthday-api-{version}.birthday-api.svc.cluster.local"))
    limits, outliers = cluster["circuit_breakers"]["thresholds"][0], cluster["outlier_detection"]
    assert (limits["max_connections"], limits["max_pending_requests"], limits["max_requests"]) == (1024, 256, 1024)
    assert outliers["max_ejection_percent"] == 50 and outliers["split_external_local_origin_errors"] is True
    assert outliers["consecutive_local_origin_failure"] == 5 and outliers["enforcing_consecutive_5xx"] == 0
    assert cluster["connect_timeout"] == "1s"


def test_large_headers_and_underscores_are_refused(user):
    for headers, status in (({"X-Large": "x" * 20000}, 431), ({f"X-{i}": "x" for i in range(100)}, 431), ({"x_forwarded_for": "1.2.3.4"}, 400)):
        assert user().request("GET", "/docs", headers=headers).status == status


@pytest.mark.parametrize(("sent", "least", "most"), [
    ("GET /docs HTTP/1.1\r\nHost: {}\r\nX-Slow: ", 4, 9),
    ("PUT /hello/Slow HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n{{", 4, 14),
], ids=["headers", "body"])  # fmt: skip
def test_half_a_request_is_cut(names, sent, least, most):
    begun = time.monotonic()
    with socket.create_connection((gateways()[0], 8080), timeout=20) as s:
        s.sendall(sent.format(names["domain_name"]).encode())
        assert b" 408 " in s.recv(1000)
    assert least < time.monotonic() - begun < most


def test_proxies_speak_http2_with_each_other_and_http1_with_the_service(ask):
    def connections(pod: dict, direction: str) -> tuple[bool, bool]:
        stats = envoy(pod, "stats?filter=upstream_cx_http").splitlines()
        return tuple(any(f"cluster.{direction}" in line and f"http{n}_total: 0" not in line and f"http{n}_total" in line for line in stats) for n in (1, 2))

    assert ask("GET", "/docs").status == 200
    c.eventually("HTTP/2 to the sidecar", lambda: connections(gateway(), "outbound|80||birthday-api-primary")[1], 30)
    assert {connections(pod, "inbound|8000") for pod in c.serving_pods()} <= {(True, False), (False, False)}


def test_a_trace_leads_from_the_gateway_through_the_sidecar_to_the_services_log_and_no_log_names_a_person(ask):
    # only the gateway decides which requests are traced, whatever the client sends
    trace, person = "5eed%028x" % time.time_ns(), "Rumpelstilzchen"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "Referer": f"https://birthday.example.com/?username={person}"}
    for _ in range(60):
        assert ask("GET", f"/hello/{person}", headers=headers).status == 404

    def lines(namespace: str, selector: str, *container: str) -> list[str]:
        """Log lines of all pods, from the last minute."""
        return [line for p in c.items("pods", namespace, selector) for line in c.kubectl("logs", "-n", namespace, p["metadata"]["name"], *container, "--since=60s").splitlines()]

    def spans() -> list[dict]:
        """The gateway's span and its child, a sidecar's span."""
        made = {s["span"]: s for s in (json.loads(line) for line in lines("amazon-cloudwatch", "app.kubernetes.io/name=otel-collector") if trace in line)}
        pairs = [[made[s["parent"]], s] for s in made.values() if s["parent"] in made]
        return next((pair for pair in pairs if len({s["resource"]["service.name"] for s in pair}) == 2), [])

    found = c.eventually("both proxies have sent their spans", spans, 40)
    print("\n" + "\n".join(f"{s['trace']} {s['resource']['service.name']} {s['name']}" for s in found))
    server = "app.kubernetes.io/component=server"
    line = c.eventually("the service's log line has the trace", lambda: [x for x in lines(c.NAMESPACE, server, "-c", "birthday-api") if trace in x], 20)[0]
    print(line)
    proxies = lambda: [x for x in lines("istio-ingress", "istio=ingress") + lines(c.NAMESPACE, server, "-c", "istio-proxy") if trace in x]  # noqa: E731
    logged = [json.loads(x) for x in c.eventually("both proxies log it", lambda: len(proxies()) >= 2 and proxies(), 20)]
    assert "public" in {entry["route"] for entry in logged} and len(logged) < 2 * 60, "what is not traced is not logged"
    assert person not in json.dumps([found, line, logged])
