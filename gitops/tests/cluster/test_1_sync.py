"""Argo CD brings the environment up from a commit, in the order of the waves, and keeps it that way."""

from datetime import datetime

import pytest

from lib import cluster as c
from lib import render

pytestmark = pytest.mark.usefixtures("installed")
VALUES = "gitops/environments/{}/birthday-api.yaml"


def test_argo_cd_makes_the_applications_that_render_prints_and_no_other(applications):
    live = {a["metadata"]["name"]: a["spec"] for a in c.items("applications.argoproj.io", "argocd")}
    assert live.pop("root") and live == {a["metadata"]["name"]: a["spec"] for a in applications}


def test_each_wave_waits_until_the_one_before_is_healthy(applications):
    made, synced = {}, {}
    for app in applications:
        live, wave = c.application(app["metadata"]["name"]), render.wave(app)
        made.setdefault(wave, []).append(at(live["metadata"]["creationTimestamp"]))
        synced.setdefault(wave, []).append(min(at(sync["deployedAt"]) for sync in live["status"]["history"]))
    waves = sorted(made)
    for before, after in zip(waves, waves[1:]):
        assert max(synced[before]) <= min(made[after]), f"wave {after} began before wave {before} was synced"


def test_the_migration_is_done_before_the_pods_that_need_it():
    job, deployment = c.get("job", "birthday-api-migrate", c.NAMESPACE), c.get("deployment", "birthday-api", c.NAMESPACE)
    assert at(job["status"]["completionTime"]) <= at(deployment["metadata"]["creationTimestamp"])


def test_what_was_changed_or_deleted_by_hand_is_healed():
    c.kubectl("patch", "pdb", "birthday-api", "-n", c.NAMESPACE, "--type=merge", "-p", '{"spec":{"maxUnavailable":"100%"}}')
    c.kubectl("delete", "networkpolicy", "default-deny", "-n", c.NAMESPACE)
    c.eventually("the PDB is as in Git", lambda: c.get("pdb", "birthday-api", c.NAMESPACE)["spec"]["maxUnavailable"] == "33%", 60)
    c.eventually("the NetworkPolicy returns", lambda: c.get("networkpolicy", "default-deny", c.NAMESPACE), 60)


def test_an_object_removed_from_git_is_pruned_and_a_revert_brings_it_back(repository):
    with repository.mistake("Remove the class", "gitops/platform/policies/kustomization.yaml", "  - storage-class.yaml\n", ""):
        c.refresh("policies")
        c.eventually("the class is gone", lambda: c.get("storageclass", "gp3") is None, 90)
    c.refresh("policies")
    c.eventually("the class is back", lambda: c.get("storageclass", "gp3"), 90)


def test_a_commit_that_does_not_render_changes_nothing(repository, environment):
    before = images()
    values = VALUES.format(environment)
    digest = next(line for line in (repository.folder / values).read_text().splitlines() if "digest:" in line)

    def refused():
        conditions = c.application("birthday-api").get("status", {}).get("conditions", [])
        return [x["message"] for x in conditions if x["type"] == "ComparisonError"]

    with repository.mistake("Break the image", values, digest, "  digest: latest"):
        c.refresh("birthday-api")
        message = c.eventually("Argo CD refuses the commit", refused, 60)[0]
        assert "digest" in message
        assert images() == before
    c.refresh("birthday-api")
    c.eventually("a revert works", lambda: c.states(c.application("birthday-api")) == ("Synced", "Healthy"), 120)


def test_a_commit_that_the_api_server_refuses_changes_nothing_and_its_retries_do_not_hold_up_a_revert(repository, environment):
    """A limit below its request passes the schema. The API server refuses the migration's Job first, and nothing after it is applied."""
    before, deployment = images(), c.get("deployment", "birthday-api", c.NAMESPACE)["metadata"]["generation"]

    def refused():
        sync = c.application("birthday-api").get("status", {}).get("operationState", {})
        found = sync.get("syncResult", {}).get("resources", [])
        return sync.get("retryCount", 0) > 0 and [r["message"] for r in found if r.get("status") == "SyncFailed"]

    mistake = "resources: {limits: {memory: 32Mi}}\n\nautoscaling:\n"
    with repository.mistake("Limit below its request", VALUES.format(environment), "autoscaling:\n", mistake):
        c.refresh("birthday-api")
        message = c.eventually("the API server refuses the commit", refused, 60)[0]
        assert "less than or equal to memory limit" in message
        assert c.get("deployment", "birthday-api", c.NAMESPACE)["metadata"]["generation"] == deployment
        assert images() == before
    c.refresh("birthday-api")

    def reverted():
        """The status alone is not enough, because nothing had changed: the retried sync has to end as well."""
        app = c.application("birthday-api")
        return c.states(app) == ("Synced", "Healthy") and app["status"].get("operationState", {}).get("phase") == "Succeeded"

    c.eventually("a revert works", reverted, 90)
    assert images() == before


def images() -> set[str]:
    return {p["spec"]["containers"][0]["image"] for p in c.serving_pods()}


def at(time: str) -> datetime:
    return datetime.fromisoformat(time)
