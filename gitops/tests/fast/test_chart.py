"""The service's chart: what it renders, and what it refuses."""

import subprocess

import pytest

from lib import render

CHART = render.GITOPS / "charts" / "birthday-api"
# Values that enable everything that the environments enable.
FULL = {
    "image": {"repository": "111111111111.dkr.ecr.eu-west-1.amazonaws.com/birthday-api", "digest": render.RELEASED},
    "database": {"host": "birthday.example.internal", "secret": "birthday-api-database", "ownerSecret": "birthday-api-database-owner", "certificateAuthority": "rds-ca"},
    "serviceAccount": {"create": False, "name": "birthday-api", "migrate": "birthday-api-migrate"},
    "autoscaling": {"enabled": True},
    "spread": {"enabled": True},
    "istio": {"enabled": True},
}


def helm(release: str = "birthday", values: dict | None = None, changes: dict | None = None) -> dict[tuple[str, str], dict]:
    """The objects of `helm install`, by kind and name."""
    return {(o["kind"], o["metadata"]["name"]): o for o in render.helm(release, CHART, "default", values or {}, changes=changes)}


def chart(changes: dict | None = None) -> dict[tuple[str, str], dict]:
    return helm("birthday-api", FULL, changes)


def pod(objects, kind="Deployment", name="birthday-api") -> dict:
    return objects[kind, name]["spec"]["template"]["spec"]


def environment_of(container: dict) -> dict[str, str]:
    return {e["name"]: e["value"] for e in container["env"]}


def test_with_no_values_it_needs_nothing_that_a_cluster_may_lack():
    """nodes/test_0_alone.py installs it so."""
    assert helm().keys() == {(kind, "birthday") for kind in ("Deployment", "PersistentVolumeClaim", "Service", "ServiceAccount")}


def test_before_the_first_release_an_environment_renders_nothing():
    """A pod without an image would hold up the sync, and with it every later commit."""
    assert chart({"image.digest": "sha256:" + "0" * 64}) == {}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("replicas", 2, "SQLite is for one pod"),
        ("autoscaling.enabled", True, "SQLite is for one pod"),
        ("canary.enabled", True, "needs istio.enabled"),
        ("database.host", "db", "database.secret"),
    ],
)
def test_values_that_do_not_fit_each_other_are_refused(path, value, message):
    with pytest.raises(SystemExit, match=message):
        helm(changes={path: value})


def test_helm_lint_is_clean():
    done = subprocess.run(["helm", "lint", "--strict", "--kube-version", render.KUBE_VERSION, str(CHART)], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("image.digest", "latest", "digest"),
        ("image.digest", "sha256:" + "0" * 63, "digest"),
        ("image.repository", "", "repository"),
        ("database.host", "host/path?x=1", "host"),
        ("database.url", "postgres://user:password@host/birthday", "url"),
        ("database.password", "x", "password"),
        ("lifecycle.drain", 1, "drain"),
        ("disruption.maxUnavailable", "100%", "maxUnavailable"),
        ("spread.minDomains", 3, "minDomains"),
        ("istio.retries.retryOn", "5xx", "retryOn"),
        ("istio.timeout", "7", "timeout"),
        ("canary.interval", "5s", "interval"),
    ],
)
def test_a_wrong_value_is_refused_by_name(path, value, message):
    with pytest.raises(SystemExit, match=message):
        chart({path: value})


def test_a_rollout_takes_no_pod_away_before_a_new_one_is_ready():
    strategy = chart()["Deployment", "birthday-api"]["spec"]["strategy"]
    assert strategy["rollingUpdate"]["maxUnavailable"] == 0


def test_each_role_mounts_its_own_credentials_only():
    found = chart()
    for spec, secret in (
        (pod(found), "birthday-api-database"),
        (pod(found, "Job", "birthday-api-migrate"), "birthday-api-database-owner"),
    ):
        sources = [s for v in spec["volumes"] for s in v["projected"]["sources"]]
        assert [s["secret"]["name"] for s in sources if "secret" in s] == [secret]
        paths = {i["path"] for s in sources for i in next(iter(s.values()))["items"]}
        assert paths == {"rds-ca.pem", "database/username", "database/password"}
        assert not any("valueFrom" in e for c in spec["containers"] for e in c["env"])


def test_no_credential_is_in_an_environment_variable():
    databases = environment_of(pod(chart())["containers"][0])["ROCKET_DATABASES"]
    assert 'credentials="/etc/birthday-api/database"' in databases
    assert "sslmode=verify-full&sslrootcert=/etc/birthday-api/rds-ca.pem" in databases
    assert "password" not in databases


def test_the_replica_is_named_only_if_there_is_one():
    assert "replica_url" not in environment_of(pod(chart())["containers"][0])["ROCKET_DATABASES"]
    with_replica = environment_of(pod(chart({"database.replicaHost": "replica.example.internal"}))["containers"][0])
    assert 'replica_url="postgres://birthday@replica.example.internal:5432/birthday?sslmode=verify-full' in with_replica["ROCKET_DATABASES"]


def test_with_a_canary_flagger_makes_the_service_and_its_route():
    plain, canary = chart(), chart({"canary.enabled": True})
    assert {("Service", "birthday-api"), ("VirtualService", "birthday-api"), ("DestinationRule", "birthday-api-policy")} <= plain.keys()
    assert ("Service", "birthday-api") not in canary and ("VirtualService", "birthday-api") not in canary
    assert {("DestinationRule", "birthday-api-primary-policy"), ("DestinationRule", "birthday-api-canary-policy")} <= canary.keys()
    by_flagger, by_us = canary["Canary", "birthday-api"]["spec"]["service"], plain["VirtualService", "birthday-api"]["spec"]["http"][0]
    assert (by_flagger["timeout"], by_flagger["retries"]) == (by_us["timeout"], by_us["retries"])


@pytest.mark.parametrize(("interval", "load"), [("10s", "5s"), ("30s", "25s"), ("1m", "55s")])
def test_the_load_of_a_canary_begins_before_the_first_check_and_ends_before_the_next(interval, load):
    """The load tester skips a command that still runs: every other check would find no requests and count as failed."""
    spec = chart({"canary.enabled": True, "canary.loadTester": "http://tester/", "canary.interval": interval})["Canary", "birthday-api"]["spec"]
    loads = {w["type"]: w["metadata"]["cmd"] for w in spec["analysis"]["webhooks"] if w["name"].startswith("load")}
    assert loads.keys() == {"pre-rollout", "rollout"}
    assert all(command.startswith(f"hey -z {load} ") for command in loads.values()), loads


def test_retries_that_are_off_have_no_conditions():
    """Istio refuses a route that has them, and Flagger then keeps the former one."""
    assert chart({"istio.retries.attempts": 0})["VirtualService", "birthday-api"]["spec"]["http"][0]["retries"] == {"attempts": 0}
