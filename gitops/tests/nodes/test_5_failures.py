"""Under a steady load of saves and lookups: a pod dies, the database stands still, a node drains, a node and its zone are lost.
The primary's failover and the rotation of the passwords are in tests/whole, under the same load."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.engine import docker
from common.load import Answer
from lib import cluster as c
from nodes.conftest import envoy, kill
from nodes.stage import ZONES

pytestmark = pytest.mark.usefixtures("installed")


def settled() -> bool:
    """At least two pods (the autoscaler may add more) and a gateway in each zone."""
    gateways = [p for p in c.items("pods", "istio-ingress", "istio=ingress") if c.ready(p) and "deletionTimestamp" not in p["metadata"]]
    pods = c.zones(c.serving_pods())
    return len(pods) == len(c.zones(gateways)) == 3 and min(pods.values()) >= 2


def restart(name: str, namespace: str) -> None:
    """Waits until only new pods are left, because old ones could be mistaken for them."""
    c.kubectl("rollout", "restart", f"deployment/{name}", "-n", namespace)
    c.kubectl("rollout", "status", f"deployment/{name}", "-n", namespace, "--timeout=300s", timeout=310)


def test_a_pod_is_deleted_without_notice(load):
    victim = c.serving_pods()[0]
    c.kubectl("delete", "pod", victim["metadata"]["name"], "-n", c.NAMESPACE, "--grace-period=0", "--force")
    c.eventually("another takes its place", lambda: len(c.serving_pods()) == 6, 120)
    assert load.failures == []


def test_the_service_in_a_pod_is_killed_and_requests_fail_there_until_it_is_back_or_not_ready(load):
    """Its sidecar stays up and answers 503, which is not retried, like the service's own 503: retries would multiply those."""
    victim, at = c.serving_pods()[0]["metadata"]["name"], time.time()
    kill(c.get("pod", victim, c.NAMESPACE), "birthday-api")
    c.eventually("it starts again", lambda: (p := c.get("pod", victim, c.NAMESPACE))["status"]["containerStatuses"][0]["restartCount"] == 1 and c.ready(p), 90)
    failed = [e for e in load.events if e.failed]
    print(f"\n{len(failed)} failed, the last {max([e.ended for e in failed], default=at) - at:.1f} s after the kill: {sorted({e.how for e in failed})}")
    assert not [e for e in failed if e.sent > at + 10]


def test_a_503_of_the_service_is_not_tried_again_and_ejects_no_pod(user, servers):
    """The database is down for half a minute. One gateway sends the two pods of its zone enough requests to eject them if a 503 counted."""
    proxy = next(p for p in c.items("pods", "istio-ingress", "istio=ingress") if c.ready(p))

    def save(_) -> Answer:
        client = user()
        client.connection.addresses = lambda: [proxy["status"]["podIP"]]
        return client.save("Away")

    def counted() -> dict[str, str]:
        stats = envoy(proxy, "stats?filter=birthday-api-primary.*(upstream_rq_retry|ejections_enforced_total)$").splitlines()
        return dict(line.rsplit(": ", 1) for line in stats if line.startswith("cluster."))

    assert save(0).status == 204
    before = counted()
    docker("pause", servers.primary)
    try:
        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(save, range(40)))
    finally:
        docker("unpause", servers.primary)
    assert all(answer.is_outage for answer in answers), [answer.status for answer in answers]
    assert len(before) == 2 and counted() == before
    c.eventually("saves succeed again", lambda: save(0).status == 204, 60)


def test_a_rolling_restart_fails_no_request(load):
    restart("birthday-api-primary", c.NAMESPACE)
    c.eventually("the old ones are gone", lambda: len([p for p in c.items("pods", c.NAMESPACE, "app.kubernetes.io/component=server")]) == 6, 60)
    assert load.failures == []


def test_a_node_is_drained_and_no_request_fails(load):
    assert c.get("pdb", "birthday-api", c.NAMESPACE)["status"]["disruptionsAllowed"] == 2, "the budget lets one zone go and not a pod more"
    try:
        c.kubectl("drain", "node-2", "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=240s", timeout=250)
        c.eventually("six pods in two zones", lambda: min(c.zones(c.serving_pods()).values()) >= 3, 150)
        assert load.failures == []
    finally:
        c.kubectl("uncordon", "node-2")
        # Kubernetes does not move running pods back
        restart("birthday-api-primary", c.NAMESPACE)
        restart("istio-ingress", "istio-ingress")
        c.eventually("two pods in each zone again", settled, 300)


def test_a_node_and_with_it_a_zone_is_lost_and_only_what_was_in_flight_there_fails(load):
    """The node stops answering, like a machine without power. Each client has one request in flight."""
    at = time.time()
    docker("pause", "nodes-node-3")
    try:
        c.eventually("the zone is noticed", lambda: ZONES["node-3"] not in c.zones(c.serving_pods()), 90)
        time.sleep(10)
        failed = [e for e in load.events if e.failed]
        print(f"\n{len(failed)} failed; the last {max([e.ended for e in failed], default=at) - at:.1f} s after the loss: {load.failures[:12]}")
        # a gateway prefers pods of its own zone, so requests through the other gateways are not affected
        assert len(failed) <= load.clients and not [e for e in failed if e.answer or e.sent > at + 30]
    finally:
        docker("unpause", "nodes-node-3")
        c.eventually("the node is back", lambda: c.ready(c.get("node", "node-3")), 90)
        c.eventually("two pods in each zone again", settled, 240)
