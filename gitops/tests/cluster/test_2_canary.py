"""A new version gets users step by step, stays if it is good, and goes if it is not. Flagger is the real controller;
Prometheus and the load tester are played by the test."""

import hashlib

import pytest

from lib import cluster as c
from lib import mesh

pytestmark = pytest.mark.usefixtures("installed")
VALUES = "gitops/environments/{}/birthday-api.yaml"


def set_digest(repository: c.Repository, environment: str, content: str) -> str:
    """What CI does: one line changes."""
    digest = "sha256:" + hashlib.sha256(content.encode()).hexdigest()
    file = VALUES.format(environment)
    old = next(line for line in (repository.folder / file).read_text().splitlines() if line.startswith("  digest:"))
    repository.edit(file, old, f"  digest: {digest}")
    repository.commit(f"Release {content}")
    c.refresh("birthday-api")
    return digest


def image(deployment: str) -> str:
    found = c.get("deployment", deployment, c.NAMESPACE)
    return found["spec"]["template"]["spec"]["containers"][0]["image"]


def phase() -> str:
    return c.get("canary.flagger.app", "birthday-api", c.NAMESPACE)["status"]["phase"]


def routes() -> list[dict]:
    return c.get("virtualservice", "birthday-api", c.NAMESPACE)["spec"]["http"]


def shares(route: dict) -> dict[str, int]:
    return {r["destination"]["host"]: r.get("weight", 0) for r in route["route"]}


def weights() -> tuple[int, int]:
    by_host = shares(routes()[0])
    return by_host["birthday-api-primary"], by_host["birthday-api-canary"]


def test_a_new_commit_is_rolled_out_in_steps(repository, environment, monitoring):
    digest = set_digest(repository, environment, "good")
    c.eventually("the new version runs beside the stable one", lambda: image("birthday-api").endswith(digest), 60)
    assert not image("birthday-api-primary").endswith(digest)
    http = routes()
    expected = mesh.flagger_virtual_service(c.get("canary.flagger.app", "birthday-api", c.NAMESPACE))["spec"]["http"]
    for route in (r for h in (http, expected) for r in h[0]["route"]):
        route.pop("weight", None)
    assert http == expected, "tests/lib/mesh.py writes another route than Flagger"
    seen = set()

    def promoted():
        seen.add(weights())
        return phase() == "Succeeded"

    c.eventually("the new version is promoted", promoted, 240, every=0.5)
    assert {(90, 10), (80, 20), (50, 50)} <= seen, seen
    assert all(primary + canary == 100 for primary, canary in seen)
    assert weights() == (100, 0)
    assert image("birthday-api-primary").endswith(digest)
    c.eventually("every pod that serves is of the new version", lambda: {
        p["spec"]["containers"][0]["image"].rsplit("@")[1] for p in c.serving_pods()} == {digest}, 60)
    c.eventually("Argo CD agrees", lambda: c.states(c.application("birthday-api")) == ("Synced", "Healthy"), 90)


def test_the_acceptance_test_and_the_load_go_to_the_new_version_only(monitoring):
    assert {w["type"] for w in (w["metadata"] for w in monitoring.webhooks)} == {"bash", "cmd"}
    for webhook in monitoring.webhooks:
        assert webhook["url"] == "http://flagger-loadtester.flagger/"
        assert "http://birthday-api-canary.birthday-api/" in webhook["metadata"]["cmd"]


def test_a_version_with_errors_is_rolled_back_and_the_old_one_serves_all_the_time(repository, environment, monitoring):
    stable = image("birthday-api-primary")
    pods = {p["metadata"]["name"] for p in c.items("pods", c.NAMESPACE) if "primary" in p["metadata"]["name"]}
    monitoring.success_rate = 80.0
    try:
        set_digest(repository, environment, "bad")
        worst = 100

        def rolled_back():
            nonlocal worst
            worst = min(worst, weights()[0])
            assert worst >= 90, "a version that never passed a check got more than the first step"
            return phase() == "Failed"

        c.eventually("the new version is rolled back", rolled_back, 240, every=0.5)
    finally:
        monitoring.success_rate = 100.0
    assert weights() == (100, 0)
    assert image("birthday-api-primary") == stable
    still = {p["metadata"]["name"] for p in c.serving_pods() if "primary" in p["metadata"]["name"]}
    assert still == pods, "stable pods were restarted"
    c.eventually("no pod of the bad version is left", lambda: len(c.serving_pods()) == len(pods), 60)
    c.eventually("Argo CD shows it", lambda: c.states(c.application("birthday-api"))[1] == "Degraded", 60)


def test_after_a_revert_git_and_what_serves_are_the_same_again(repository):
    """Flagger starts no analysis for a version that it has promoted before, and its Canary goes on saying Failed."""
    repository.revert()
    c.refresh("birthday-api")
    c.eventually("Git's version is the stable one", lambda: image("birthday-api") == image("birthday-api-primary"), 60)
    c.eventually("Synced and Healthy", lambda: c.states(c.application("birthday-api")) == ("Synced", "Healthy"), 90)
    assert (phase(), weights()) == ("Failed", (100, 0))


def test_people_with_the_header_get_the_new_version_and_others_do_not(repository, environment):
    file = VALUES.format(environment)
    repository.edit(file, "canary: {", "canary: {strategy: header, iterations: 2, ")
    set_digest(repository, environment, "ab")

    def routed():
        http = routes()
        return len(http) == 2 and shares(http[0]) == {"birthday-api-primary": 0, "birthday-api-canary": 100} and http

    first, second = c.eventually("a header is routed to the new version", routed, 120, every=0.5)
    assert first["match"] == [{"headers": {"x-birthday-canary": {"exact": "always"}}}]
    # the weight of a destination that is alone means nothing: tests/mesh asks Envoy
    assert "match" not in second and set(shares(second)) == {"birthday-api-primary"}
    expected = mesh.flagger_virtual_service(c.get("canary.flagger.app", "birthday-api", c.NAMESPACE), primary=0)["spec"]["http"]
    assert [first, second] == expected, "tests/lib/mesh.py writes another route than Flagger"
    c.eventually("the new version is promoted", lambda: phase() == "Succeeded", 240)
    repository.edit(file, "canary: {strategy: header, iterations: 2, ", "canary: {")
    repository.commit("Back to weights")
    c.refresh("birthday-api")
    c.eventually("Synced and Healthy", lambda: c.states(c.application("birthday-api")) == ("Synced", "Healthy"), 240)
