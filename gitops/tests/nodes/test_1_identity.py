"""Who may connect to whom: admission, mutual TLS, authorization and network policies, each tested with real requests."""

import pytest

from lib import cluster as c
from nodes.conftest import on_node

pytestmark = pytest.mark.usefixtures("installed")


def server() -> dict:
    return c.serving_pods()[0]


def test_every_pod_of_a_restricted_namespace_runs_with_its_sidecar():
    for namespace in ("birthday-api", "istio-ingress", "flagger"):
        assert c.get("namespace", namespace)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        pods = [p for p in c.items("pods", namespace) if p["status"]["phase"] == "Running" and "deletionTimestamp" not in p["metadata"]]
        assert pods
        for pod in pods:
            proxies = [x for x in pod["spec"].get("initContainers", []) + pod["spec"]["containers"] if x["name"] == "istio-proxy"]
            assert len(proxies) == 1 and c.ready(pod), pod["metadata"]["name"]
            profile = proxies[0]["securityContext"].get("seccompProfile") or pod["spec"]["securityContext"].get("seccompProfile")
            assert profile == {"type": "RuntimeDefault"}, pod["metadata"]["name"]


def test_six_pods_are_two_in_each_zone_even_where_the_scheduler_would_rather_not():
    """One zone is made less attractive, because in three equal zones six pods would be even without a rule."""
    before = {p["metadata"]["name"] for p in c.serving_pods()}
    assert len(before) == 6
    c.kubectl("taint", "node", "node-3", "test/unloved=:PreferNoSchedule")
    try:
        c.kubectl("delete", "pod", "-n", c.NAMESPACE, "--wait=false", *before)
        pods = c.eventually("six other pods", lambda: len(found := c.serving_pods()) == 6 and not before & {p["metadata"]["name"] for p in found} and found, 120)
        assert sorted(c.zones(pods).values()) == [2, 2, 2]
    finally:
        c.kubectl("taint", "node", "node-3", "test/unloved-")


def test_no_proxy_refuses_its_configuration():
    logs = [c.kubectl("logs", "-n", "istio-system", p["metadata"]["name"]) for p in c.items("pods", "istio-system", "app=istiod")]
    assert logs and not [line for log in logs for line in log.splitlines() if "ACK ERROR" in line]


def test_a_pod_without_a_sidecar_is_refused(pod):
    """It has the labels that the network policy allows, so mTLS is what refuses it."""
    call = pod("plain", "flagger", "flagger-loadtester", {"app.kubernetes.io/name": "loadtester"}, sidecar=False)
    answer = call(f"http://{server()['status']['podIP']}:8000/")
    assert "Connection reset" in answer or "Recv failure" in answer or "Empty reply" in answer, answer


@pytest.fixture(scope="session")
def tester(pod):
    return pod("tester", "flagger", "flagger-loadtester", {"app.kubernetes.io/name": "loadtester"})


@pytest.mark.parametrize(("path", "status"), [
    ("/", 200), ("/hello/Nobody", 404), ("/metrics", 403), ("/readyz", 403), ("/livez", 403), ("/docs", 403), ("/openapi.json", 403),
    ("/hello/../metrics", 403), ("//metrics", 403),
])  # fmt: skip
def test_the_load_tester_reaches_what_its_acceptance_test_needs_and_nothing_else(tester, path, status):
    def asked():
        return f"status {status}" in tester(f"http://birthday-api-primary.birthday-api{path}", "--path-as-is")

    c.eventually(f"{path}: {status}", asked, 20)


def test_another_account_reaches_nothing(pod):
    call = pod("stranger", "flagger", "default", {"app.kubernetes.io/name": "loadtester"})
    for path in ("/", "/hello/Nobody", "/metrics"):
        c.eventually(f"{path}: 403", lambda: "status 403" in call(f"http://birthday-api-primary.birthday-api{path}"), 20)


def test_a_pod_that_no_network_policy_names_reaches_no_port(pod):
    call = pod("outside", "default", sidecar=False)
    address = server()["status"]["podIP"]
    for port in (8000, 15006, 15020, 15090):
        answer = call(f"http://{address}:{port}/")
        assert "status 000" in answer and "reset" not in answer, (port, answer)
    for gateway in [p["status"]["podIP"] for p in c.items("pods", "istio-ingress", "istio=ingress")]:
        assert "status 000" in call(f"http://{gateway}:8080/")


def test_a_pod_of_the_service_reaches_nothing_but_what_the_policies_name(stage, names):
    """From inside the pod's network namespace, bypassing the sidecar, as an intruder with root would."""
    pod = server()
    process = on_node(pod, "sh", "-c", f"grep -ls {pod['metadata']['uid']} /proc/[0-9]*/cgroup | head -1 | cut -d/ -f3")

    def reach(address: str, port: int) -> bool:
        shell = f"timeout 3 setpriv --reuid 1337 --clear-groups bash -c '</dev/tcp/{address}/{port}' 2>/dev/null && echo reached || echo closed"
        return on_node(pod, "nsenter", "-t", process, "-n", "sh", "-c", shell) == "reached"

    assert reach(stage.hosts[names["database_host"]], 5432)
    others = [p["status"]["podIP"] for p in c.items("pods", "external-secrets") + c.items("pods", "monitoring")]
    assert not [address for address in others for port in (8080, 9090) if reach(address, port)]
    assert not reach("10.0.1.10", 6443) and not reach("10.0.1.1", 5000)
