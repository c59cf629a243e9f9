"""Six pods in three zones: what drains, lost zones and load do to them. Last, because zones do not come back."""

import json
import time

import pytest

from lib import cluster as c

pytestmark = [pytest.mark.usefixtures("installed"), pytest.mark.production]


def zone_counts() -> list[int]:
    return sorted(c.zones(c.serving_pods()).values())


def names() -> set[str]:
    return {p["metadata"]["name"] for p in c.serving_pods()}


def evict(pod: dict) -> bool:
    """True if the API server lets the pod go, as `kubectl drain` asks it."""
    name = pod["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": c.NAMESPACE}}
    try:
        c.kubectl("create", "--raw", f"/api/v1/namespaces/{c.NAMESPACE}/pods/{name}/eviction", "-f", "-", stdin=json.dumps(eviction))
    except RuntimeError as e:
        assert "disruption budget" in str(e), e
        return False
    return True


def test_six_pods_are_two_in_each_zone_even_where_the_scheduler_would_rather_not():
    """Alone in three equal zones six pods would be even without a rule."""
    c.eventually("six pods", lambda: len(names()) == 6, 120)
    assert zone_counts() == [2, 2, 2]
    before = names()
    c.kubectl("taint", "node", "fake-3", "test/unloved=:PreferNoSchedule")
    try:
        c.kubectl("delete", "pod", "-n", c.NAMESPACE, *before)
        c.eventually("six other pods", lambda: len(names()) == 6 and not names() & before, 120)
        assert zone_counts() == [2, 2, 2]
    finally:
        c.kubectl("taint", "node", "fake-3", "test/unloved-")


def test_the_budget_lets_one_zone_go_and_not_a_pod_more():
    allowed = c.eventually("the budget counts", lambda: c.get("pdb", "birthday-api", c.NAMESPACE)["status"].get("disruptionsAllowed"), 60)
    assert allowed == 2
    nodes = [n["metadata"]["name"] for n in c.items("nodes")]
    before = names()
    c.kubectl("cordon", *nodes)  # no pod is replaced while the evictions are asked for
    try:
        assert [evict(p) for p in c.serving_pods()] == [True, True, False, False, False, False]
    finally:
        c.kubectl("uncordon", *nodes)
    # Nodes come back one after another, and those that are back take the waiting pods: with all of them there, once more.
    c.eventually("six pods", lambda: len(names()) == 6, 120)
    c.kubectl("delete", "pod", "-n", c.NAMESPACE, *(names() - before))
    c.eventually("2/2/2 again", lambda: zone_counts() == [2, 2, 2], 120)


def test_a_node_drains_and_at_least_four_pods_serve_all_the_time():
    least = 6
    drain = c.subprocess.Popen(
        ["kubectl", "drain", "fake-1", "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=120s"],
        stdout=c.subprocess.PIPE, stderr=c.subprocess.STDOUT, text=True)
    while drain.poll() is None:
        least = min(least, len(c.serving_pods()))
        time.sleep(0.2)
    assert drain.returncode == 0, drain.stdout.read()
    assert least >= 4
    c.eventually("3/3 on the two other zones", lambda: zone_counts() == [3, 3], 120)
    c.kubectl("uncordon", "fake-1")
    # what a rollout or a new pod does; nothing moves a running pod by itself
    for pod in [p for p in c.serving_pods()][:2]:
        evict(pod)
    c.eventually("six pods", lambda: sum(zone_counts()) == 6, 120)


def test_the_autoscaler_goes_to_its_most_and_no_further():
    hpa = "birthday-api-primary"
    c.eventually("the HPA reads metrics", lambda: c.get("hpa", hpa, c.NAMESPACE)["status"].get("currentMetrics"), 90)
    c.kubectl("annotate", "namespace", c.NAMESPACE, "fake-usage-cpu=2", "--overwrite")
    c.eventually("12 pods", lambda: len(c.serving_pods()) == 12, 180)
    c.always("no more than 12", lambda: c.get("hpa", hpa, c.NAMESPACE)["status"]["desiredReplicas"] == 12, 15)
    counts = zone_counts()
    assert len(counts) == 3 and max(counts) - min(counts) <= 2, counts


def test_the_autoscaler_goes_back_to_its_least_and_no_further():
    # five minutes of rest and a pod a minute are the chart's; the test asks the same HPA to hurry
    behavior = {"spec": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 12, "periodSeconds": 5}]}}}}
    c.kubectl("patch", "hpa", "birthday-api-primary", "-n", c.NAMESPACE, "--type=merge", "-p", json.dumps(behavior))
    c.kubectl("annotate", "namespace", c.NAMESPACE, "fake-usage-cpu=1m", "--overwrite")
    c.eventually("6 pods", lambda: len(c.serving_pods()) == 6, 180)
    c.always("no fewer than 6", lambda: len(c.serving_pods()) == 6, 15)


def test_pods_of_a_lost_zone_move_to_the_others():
    c.kubectl("delete", "node", "fake-3")
    c.eventually("six pods in two zones", lambda: sum(zone_counts()) == 6 and len(zone_counts()) == 2, 180)
    assert min(zone_counts()) >= 2
