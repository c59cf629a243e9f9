"""A new version gets users step by step, and is promoted if good, rolled back if bad: Flagger, its load tester and Prometheus decide."""

import json
import re
import time

import pytest

from lib import cluster as c
from nodes.conftest import VALUES, digest

pytestmark = pytest.mark.usefixtures("installed")


def image(deployment: str) -> str:
    return digest(c.get("deployment", deployment, c.NAMESPACE))


def canary() -> dict:
    return c.get("canary.flagger.app", "birthday-api", c.NAMESPACE)["status"]


def shares() -> list[dict[str, int]]:
    http = c.get("virtualservice", "birthday-api", c.NAMESPACE)["spec"]["http"]
    return [{r["destination"]["host"].removeprefix("birthday-api-"): r.get("weight", 0) for r in route["route"]} for route in http]


def decisions(since: str = "6m") -> list[str]:
    """What Flagger did and why, from its log."""
    lines = [line for p in c.items("pods", "flagger", "app.kubernetes.io/name=flagger") for line in c.kubectl("logs", "-n", "flagger", p["metadata"]["name"], "-c", "flagger", f"--since={since}").splitlines()]
    return [m[1] for line in lines if (m := re.search(r'"msg":"(.*?)"[,}]', line)) and "birthday-api" in line]


def healthy() -> bool:
    return c.states(c.application("birthday-api")) == ("Synced", "Healthy")


def measured(prometheus) -> str:
    rate = prometheus('sum(rate(istio_requests_total{destination_workload="birthday-api"}[20s])) by (response_code)')
    p99 = prometheus('histogram_quantile(0.99, sum(rate(istio_request_duration_milliseconds_bucket{destination_workload="birthday-api"}[20s])) by (le))')
    return ", ".join([f"{s['metric'].get('response_code')}: {float(s['value'][1]):.1f}/s" for s in rate] + [f"p99 {float(s['value'][1]):.0f} ms" for s in p99])


def test_a_good_version_is_promoted_in_steps_and_no_request_fails(release, load, prometheus):
    wanted, seen, numbers = release("second"), [], []

    def promoted():
        for found in (s for s in shares() if s not in seen):
            seen.append(found)
            numbers.append(f"{found}: {measured(prometheus)}")
        return image("birthday-api-primary") == wanted and canary()["phase"] == "Succeeded"

    c.eventually("the new version is promoted", promoted, 420, every=2)
    print("\n" + "\n".join([*numbers, *decisions()[-12:]]))
    assert {10, 20, 50} <= {s["canary"] for s in seen} and shares() == [{"primary": 100, "canary": 0}]
    c.eventually("every pod that serves is of the new version", lambda: {digest(p) for p in c.serving_pods()} == {wanted}, 120)
    assert load.failures == []


@pytest.mark.parametrize(("variant", "why"), [("bad-answers", "acceptance"), ("bad-errors", "success-rate|success rate"), ("bad-slow", "duration")])
def test_a_bad_version_is_rolled_back_and_a_revert_makes_git_right_again(release, repository, load, variant, why):
    stable = image("birthday-api-primary")
    release(variant)
    c.eventually("Flagger begins with it", lambda: canary()["phase"] == "Progressing", 120)
    began, most = time.monotonic(), [0]

    def rolled_back():
        most[0] = max(most[0], *(s.get("canary", 0) for s in shares()))
        return canary()["phase"] == "Failed"

    try:
        c.eventually("the new version is rolled back", rolled_back, 300, every=2)
        said = decisions(f"{time.monotonic() - began:.0f}s")
        print(f"\nat most {most[0]} %; " + "; ".join(said[-8:]))
        assert [line for line in said if "Halt" in line and re.search(why, line)], said
        assert most[0] <= 10, "a version that never passed a check got more than the first step"
        assert shares() == [{"primary": 100, "canary": 0}] and image("birthday-api-primary") == stable
        c.eventually("Argo CD shows it", lambda: c.states(c.application("birthday-api"))[1] == "Degraded", 60)
    finally:
        repository.revert()
        c.refresh("birthday-api")
    c.eventually("Synced and Healthy", healthy, 240)


def test_users_with_the_header_get_the_new_version_and_others_do_not(release, repository, user):
    """Almost all requests to the new version are the load tester's, so each check shows whether there are any."""
    stable = image("birthday-api-primary")
    file = repository.folder / VALUES
    text = file.read_text()
    file.write_text(text.replace("canary: {interval: 20s}", "canary: {interval: 20s, strategy: header, iterations: 4}"))
    began, wanted = time.monotonic(), release("third")
    try:
        c.eventually("a header is routed to the new version", lambda: shares()[0] == {"primary": 0, "canary": 100} and len(shares()) == 2, 240)

        def served_by(headers: dict) -> set[str]:
            before = requests()
            assert {user().request("GET", "/docs", headers=headers).status for _ in range(10)} == {200}
            return {image for image, count in requests().items() if count - before.get(image, 0) >= 10}

        assert served_by({"x-birthday-canary": "always"}) == {wanted}
        assert served_by({"x-birthday-canary": "never"}) == served_by({}) == {stable}
    finally:
        file.write_text(file.read_text().replace(", strategy: header, iterations: 4", ""))
        c.eventually("the new version is promoted", lambda: image("birthday-api-primary") == wanted and canary()["phase"] == "Succeeded", 240)
        said = decisions(f"{time.monotonic() - began:.0f}s")
        print("\n" + "; ".join(said))
        repository.commit("Back to weights")
        c.refresh("birthday-api")
        c.eventually("Synced and Healthy", healthy, 240)
    assert not [line for line in said if "Halt" in line], said


def test_a_failed_promotion_is_degraded_until_flagger_finishes_it():
    """The test writes the status that Flagger writes when the stable pods do not start, then does what the runbook says."""

    def write(**status) -> None:
        c.kubectl("patch", "canary", "birthday-api", "-n", c.NAMESPACE, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))

    def finished() -> bool:
        if canary()["phase"] == "Failed":  # also if Flagger wrote its status at the same moment
            write(phase="Promoting")
        return canary()["phase"] == "Succeeded"

    write(phase="Failed", canaryWeight=100)
    c.eventually("Argo CD shows it", lambda: c.states(c.application("birthday-api"))[1] == "Degraded", 60)
    c.eventually("Flagger finishes the promotion", finished, 120)
    assert canary()["canaryWeight"] == 0 and shares() == [{"primary": 100, "canary": 0}]
    c.eventually("Synced and Healthy", healthy, 120)


def requests() -> dict[str, int]:
    """Number of requests for the documentation that each image has logged."""
    found: dict[str, int] = {}
    for pod in c.serving_pods():
        log = c.kubectl("logs", "-n", c.NAMESPACE, pod["metadata"]["name"], "-c", "birthday-api")
        found[digest(pod)] = found.get(digest(pod), 0) + sum('"/docs' in line for line in log.splitlines())
    return found
