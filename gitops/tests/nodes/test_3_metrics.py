"""What Prometheus scrapes despite STRICT mTLS, and what depends on it."""

import json
import os
import re
import subprocess
import time

import pytest

from lib import cluster as c
from nodes.conftest import envoy, gateways, on_node

pytestmark = pytest.mark.usefixtures("installed")
# Prometheus still answers with older samples after a monitor has lost its targets
START = time.time()


@pytest.mark.parametrize(("namespace", "query"), [
    ("birthday-api", "birthday_http_request_duration_seconds_count"), ("birthday-api", "envoy_cluster_upstream_rq"), ("birthday-api", "istio_requests_total"),
    ("istio-ingress", "envoy_cluster_upstream_rq"), ("flagger", "flagger_info"), ("monitoring", "pilot_xds"),
    ("monitoring", "externalsecret_sync_calls_total"),
])  # fmt: skip
def test_each_monitor_has_targets_and_their_metrics(prometheus, user, namespace, query):
    def samples():
        found = prometheus(f"timestamp({query}) > {START}")
        return [s for s in found if namespace == "monitoring" or s["metric"].get("namespace") == namespace]

    # without a request Istio has no metrics
    assert user().find("Nobody").status == 404
    c.eventually(f"{query} of {namespace}", samples, 90)


def test_every_target_is_up(prometheus):
    c.eventually("up", lambda: prometheus("up") and not prometheus("up == 0"), 60)
    by_job = {s["metric"]["job"]: s["value"][1] for s in prometheus("count(up) by (job)")}
    print(f"\n{by_job}")
    assert int(by_job["birthday-api/birthday-api"]) >= 6 and int(by_job["istio-ingress/istio-ingress"]) >= 3


def test_prometheus_takes_every_rule_of_git(prometheus):
    path = "/api/v1/namespaces/monitoring/services/prometheus-prometheus:9090/proxy/api/v1/rules"
    groups = json.loads(c.kubectl("get", "--raw", path))["data"]["groups"]
    ill = [rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "err"]
    made = sum(len(group["rules"]) for found in c.items("prometheusrules.monitoring.coreos.com") for group in found["spec"]["groups"])
    assert ill == [] and sum(len(group["rules"]) for group in groups) == made


def test_the_autoscaler_adds_pods_under_load_and_takes_them_away_after_it(installed, names):
    hpa = "birthday-api-primary"
    assert (limits := c.get("hpa", hpa, c.NAMESPACE)["spec"])["minReplicas"] == 6 and limits["maxReplicas"] == 12

    def read() -> set[str]:
        found = c.get("hpa", hpa, c.NAMESPACE)["status"].get("currentMetrics") or []
        # a metric that the HPA could not read has no type
        return {m["containerResource"]["container"] for m in found if "averageUtilization" in m.get("containerResource", {}).get("current", {})}

    c.eventually("the HPA reads the CPU of the service and of its native sidecar", lambda: read() == {"birthday-api", "istio-proxy"}, 120)
    # a gateway prefers pods of its own zone: the load goes through all three, to reach all pods
    hey = [os.environ["EXTRA"] + "/hey", "-z", "150s", "-c", "14", "-host", names["domain_name"]]
    loads = [subprocess.Popen([*hey, f"http://{address}:8080/hello/Nobody"], stdout=subprocess.DEVNULL) for address in gateways()]
    try:
        most = c.eventually("more than 6 pods serve", lambda: len(c.serving_pods()) > 6 and len(c.serving_pods()), 150)
    finally:
        for load in loads:
            load.kill()
            load.wait()
    print(f"\n{most} pods under load")
    # the chart waits five minutes, then removes one pod a minute; the test speeds up the same HPA
    hurry = {"spec": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 12, "periodSeconds": 5}]}}}}
    c.kubectl("patch", "hpa", hpa, "-n", c.NAMESPACE, "--type=merge", "-p", json.dumps(hurry))
    c.eventually("6 pods", lambda: len(c.serving_pods()) == 6, 240)
    # Flagger copies Git's HPA only for a promotion, and when its copy is gone
    c.kubectl("delete", "hpa", hpa, "-n", c.NAMESPACE)
    wanted = c.get("hpa", "birthday-api", c.NAMESPACE)["spec"]["behavior"]
    c.eventually("the copy is Git's again", lambda: (copy := c.get("hpa", hpa, c.NAMESPACE)) and copy["spec"]["behavior"] == wanted, 60)


def test_a_pod_that_refuses_connections_is_put_aside_and_costs_no_answer(load):
    """A firewall rule on its node refuses connections from outside the pod: the gateway's proxies eject the pod, and later use it again."""
    victim = c.serving_pods()[0]
    rule = ["FORWARD", "-d", victim["status"]["podIP"], "-p", "tcp", "--dport", "8000", "-j", "REJECT", "--reject-with", "tcp-reset"]
    def ejected() -> int:
        proxies = [p for p in c.items("pods", "istio-ingress", "istio=ingress") if p["status"]["podIP"] in gateways()]
        return sum(int(n) for p in proxies for n in re.findall(r"birthday-api-primary.*ejections_active: (\d+)", envoy(p, "stats?filter=ejections_active")))

    on_node(victim, "iptables", "-I", *rule)
    try:
        c.eventually("it is ejected", lambda: ejected() > 0, 60)
    finally:
        on_node(victim, "iptables", "-D", *rule)
    c.eventually("it is taken back", lambda: ejected() == 0, 90)
    assert load.failures == []
