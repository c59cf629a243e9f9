"""What the outside can reach, and what the gateway does when the service is slow, gone or overrun."""

import copy
import http.client
import json
import socket
import time
from http.server import BaseHTTPRequestHandler

import pytest
import yaml

from common.start import eventually, free_port
from lib import mesh
from lib.cluster import Loopback


@pytest.fixture
def ask(gateway, domain):
    def ask(method: str, path: str, body: str | None = None, headers: dict | None = None, host: str | None = None):
        connection = http.client.HTTPConnection(mesh.ADDRESS, mesh.PORT, timeout=20)
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host or domain)
        for name, value in {"Content-Length": str(len(body or "")), **(headers or {})}.items():
            connection.putheader(name, value)
        connection.endheaders((body or "").encode())
        answer = connection.getresponse()
        answer.text = answer.read().decode(errors="replace")
        connection.close()
        return answer

    eventually("the gateway routes to the service", lambda: ask("GET", "/openapi.json").status == 200)
    return ask


JSON = {"Content-Type": "application/json"}


def test_a_birthday_is_saved_read_and_deleted_through_the_gateway(ask):
    assert ask("PUT", "/hello/Gateway", '{"dateOfBirth":"2000-02-29"}', JSON).status == 204
    answer = ask("GET", "/hello/Gateway")
    assert answer.status == 200 and json.loads(answer.text)["message"].startswith("Hello, Gateway!")
    assert ask("GET", "/hello/Gateway/birthday.ics").status == 200
    assert ask("DELETE", "/hello/Gateway").status == 204


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/hello/metrics", "/hello/readyz"])
def test_a_public_path_is_answered_by_the_service(ask, path):
    assert "x-envoy" not in str(ask("GET", path).headers).lower()
    assert ask("GET", path).headers["strict-transport-security"]


@pytest.mark.parametrize(
    "path",
    [
        "/metrics", "/livez", "/readyz", "//metrics", "/./metrics", "/hello/../metrics", "/hello/..%2fmetrics", "/hello/%2e%2e/metrics",
        "/docs/../metrics", "/docs/..%5cmetrics", "/%6detrics", "/metrics/", "/metrics?x=/hello/a", "/metrics;/hello/", "/METRICS",
        "/hello/%2e%2e%2fmetrics", "/hello//../..//metrics", "/admin", "/hello",
    ],
)  # fmt: skip
def test_nothing_private_is_reachable_from_outside(ask, path):
    answer = ask("GET", path)
    assert answer.status in (400, 404), answer.text[:200]
    assert "# TYPE" not in answer.text and "# HELP" not in answer.text


def test_another_host_is_refused(ask):
    assert ask("GET", "/docs", host="evil.example.com").status == 404
    assert ask("GET", "/docs", host="birthday-api-primary.birthday-api.svc.cluster.local").status == 404


def test_the_route_has_the_time_out_and_the_retries_of_git(gateway, canary):
    route = json.loads(gateway.get("/config_dump?resource=dynamic_route_configs"))
    routes = [r for c in route["configs"] for v in c["route_config"]["virtual_hosts"] for r in v.get("routes", [])]
    public = [r["route"] for r in routes if "weighted_clusters" in r.get("route", {})]
    assert len(public) == 6
    for found in public:
        assert found["timeout"] == canary["spec"]["service"]["timeout"]
        assert found["retry_policy"]["num_retries"] == 2
        assert set(found["retry_policy"]["retry_on"].split(",")) == {"connect-failure", "refused-stream", "reset"}


@pytest.mark.parametrize("version", ["primary", "canary"])
def test_the_policy_of_git_holds_beside_flaggers_empty_rule(gateway, istiod, version, canary):
    metadata = {"name": f"birthday-api-{version}", "namespace": "birthday-api"}
    empty = {"apiVersion": "networking.istio.io/v1alpha3", "kind": "DestinationRule", "metadata": metadata, "spec": {"host": f"birthday-api-{version}"}}
    istiod.write(f"flagger-{version}", [empty])
    time.sleep(3)
    found = json.loads(gateway.get("/config_dump?resource=dynamic_active_clusters"))["configs"]
    cluster = next(c["cluster"] for c in found if c["cluster"]["name"].endswith(f"birthday-api-{version}.birthday-api.svc.cluster.local"))
    limits = cluster["circuit_breakers"]["thresholds"][0]
    assert (limits["max_connections"], limits["max_pending_requests"], limits["max_requests"]) == (1024, 256, 1024)
    outliers = cluster["outlier_detection"]
    assert outliers["max_ejection_percent"] == 50 and outliers["split_external_local_origin_errors"] is True
    assert outliers["consecutive_local_origin_failure"] == 5 and outliers["enforcing_consecutive_5xx"] == 0
    assert cluster["connect_timeout"] == "1s"


@pytest.fixture
def shares(ask, istiod, canary, gateway):
    """How many of 60 requests the stable and the new version get."""

    def ask_all(headers: dict | None = None) -> tuple[int, ...]:
        gateway.post("/reset_counters")
        for _ in range(60):
            assert ask("GET", "/openapi.json", headers=headers).status == 200
        return tuple(gateway.stat(f"birthday-api-{v}.birthday-api.svc.cluster.local;.upstream_rq_total") for v in ("primary", "canary"))

    yield ask_all
    istiod.write("flagger", [mesh.flagger_virtual_service(canary)])


def test_only_requests_with_the_header_get_the_new_version(shares, istiod, canary):
    by_header = copy.deepcopy(canary)
    by_header["spec"]["analysis"]["match"] = [{"headers": {"x-birthday-canary": {"exact": "always"}}}]
    istiod.write("flagger", [mesh.flagger_virtual_service(by_header, primary=0)])
    eventually("with the header", lambda: shares({"x-birthday-canary": "always"}) == (0, 60), 30)
    assert shares() == (60, 0)
    assert shares({"x-birthday-canary": "never"}) == (60, 0)


def test_access_logs_hold_traced_requests_name_routes_and_never_people(ask, gateway):
    def lines() -> list[dict]:
        return [json.loads(line) for line in gateway.access_log.read_text().splitlines() if line.startswith("{")]

    before = len(lines())
    person = "Rumpelstilzchen"
    headers = {"Referer": f"https://birthday.example.com/?username={person}", "User-Agent": person}
    for sampled in ("00", "01", "00"):
        headers["traceparent"] = f"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{sampled}"
        assert ask("GET", f"/hello/{person}", headers=headers).status == 404
    eventually("a request is logged", lambda: len(lines()) > before, 20)
    time.sleep(1)
    assert len(lines()) == before + 1
    assert lines()[-1]["route"] == "public" and lines()[-1]["status"] == 404 and lines()[-1]["upstream"]
    assert person not in gateway.access_log.read_text()


def test_half_a_request_is_cut(gateway, domain):
    begun = time.monotonic()
    with socket.create_connection((mesh.ADDRESS, mesh.PORT), timeout=15) as s:
        s.sendall(f"GET /docs HTTP/1.1\r\nHost: {domain}\r\nX-Slow: ".encode())
        assert b" 408 " in s.recv(1000)
    assert 4 < time.monotonic() - begun < 8


def test_half_a_body_is_cut(gateway, domain):
    begun = time.monotonic()
    with socket.create_connection((mesh.ADDRESS, mesh.PORT), timeout=20) as s:
        s.sendall(f"PUT /hello/Slow HTTP/1.1\r\nHost: {domain}\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n{{".encode())
        assert b" 408 " in s.recv(1000) or time.monotonic() - begun < 13
    assert 5 < time.monotonic() - begun < 13


def test_large_headers_are_refused(ask):
    assert ask("GET", "/docs", headers={"X-Large": "x" * 20000}).status == 431
    assert ask("GET", "/docs", headers={f"X-{i}": "x" for i in range(100)}).status == 431


def test_a_header_with_an_underscore_is_refused(ask):
    assert ask("GET", "/docs", headers={"x_forwarded_for": "1.2.3.4"}).status == 400


@pytest.fixture
def endpoints(istiod, gateway):
    """Gives the stable version other endpoints until the end of the test."""
    before = (istiod.config / "all.yaml").read_text()

    def change(addresses: list[str], port: int, other: dict | None = None) -> None:
        entry = mesh.service_entry("birthday-api-primary.birthday-api.svc.cluster.local", 80, port, addresses, other)
        istiod.write("all", [entry if (o["kind"], o["metadata"]) == (entry["kind"], entry["metadata"]) else o for o in yaml.safe_load_all(before)])
        last = addresses[-1]
        eventually("Envoy knows them", lambda: f"{last}:{(other or {}).get(last, port)}" in gateway.get("/clusters"), 30)
        gateway.post("/reset_counters")

    yield change
    istiod.write("all", list(yaml.safe_load_all(before)))


def test_one_instance_that_is_gone_costs_no_answer_and_is_put_aside(gateway, endpoints, services, ask):
    """Two endpoints of the stable version; nothing listens on one of them."""
    endpoints(["127.0.0.1", "127.0.0.2"], services[0].port, {"127.0.0.2": free_port()})
    assert {ask("GET", "/openapi.json").status for _ in range(40)} == {200}
    assert gateway.stat("upstream_rq_retry_success") > 0
    eventually("it is ejected", lambda: gateway.stat("outlier_detection.ejections_enforced_consecutive_local_origin_failure") > 0, 20)


def test_a_503_of_the_service_is_not_tried_again_and_ejects_no_pod(gateway, endpoints, ask):
    """A stand-in that answers 503 as the service does while the database is away, and counts what it gets."""
    seen = []

    class Away(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            seen.append(self.path)
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.send_header("Retry-After", "1")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = Loopback(Away)
    try:
        endpoints(["127.0.0.1"], server.port)
        eventually("it gets requests", lambda: ask("GET", "/docs").status == 503, 30)
        seen.clear()
        assert [ask("GET", "/docs").status for _ in range(30)] == [503] * 30
        assert len(seen) == 30
        time.sleep(6)
        assert gateway.stat("ejections_active") == 0
    finally:
        server.close()
