"""Removes the protections one by one, each in a commit that Argo CD applies, and expects a test to fail. If no test notices the
removal, the protection is untested."""

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from lib import cluster as c
from lib import render

MESH, POLICIES, CHART = "gitops/platform/mesh", "gitops/platform/policies", "gitops/charts/birthday-api"
# Each removal: the file, the text to replace and its replacement; the Application that applies it; the tests that must fail,
# and a word in their failure.
TABLE = {
    "mTLS is PERMISSIVE": (
        f"{MESH}/mtls.yaml", "STRICT", "PERMISSIVE", "mesh", "a_pod_without_a_sidecar_is_refused", "status"),
    "authorization allows by default": (
        f"{MESH}/authorization.yaml", "spec: {}\n", "spec: {rules: [{}]}\n", "mesh", "another_account_reaches_nothing", "403"),
    "an authorization rule is too wide": (
        f"{MESH}/authorization.yaml", 'paths: ["/", /hello/*]', 'paths: ["*"]', "mesh", "load_tester_reaches_what", "/metrics: 403"),
    "the route is too wide": (
        f"{MESH}/routes.yaml", "{uri: {exact: /docs}}", "{uri: {prefix: /}}", "mesh", "nothing_private_is_reachable", "assert"),
    "a monitor selects a port that no container declares": (
        "gitops/platform/observability/monitors.yaml", "port: http-envoy-prom", "portNumber: 15020", "observability", "each_monitor_has_targets", "not within 90 s: birthday_http_request"),
    "network policies let everything through": (
        f"{POLICIES}/network-birthday-api.yaml", "policyTypes: [Ingress, Egress]\n", "policyTypes: [Ingress, Egress]\n  ingress: [{}]\n  egress: [{}]\n",
        "policies", "no_network_policy_names or nothing_but_what_the_policies_name", "assert"),
    "the sidecar has no seccomp profile": (
        "gitops/apps/templates/istiod.yaml", "            seccompProfile: {type: RuntimeDefault}\n            resources", "            resources",
        "istiod", "sets_its_profile_for_its_own_container", "seccompProfile"),
    "the route has no retries": (
        f"{CHART}/values.yaml", "attempts: 2", "attempts: 0", "birthday-api", "refuses_connections_is_put_aside", "503"),
    "a 503 ejects a pod": (
        f"{CHART}/templates/destinationrules.yaml", "consecutive5xxErrors: 0", "consecutive5xxErrors: 5", "birthday-api", "503_of_the_service", "ejections_enforced_total"),
    "a canary has no analysis": (
        f"{CHART}/templates/canary.yaml", "thresholdRange: {min: {{ .Values.canary.successRate }}}", "thresholdRange: {min: 0}",
        "birthday-api", "bad_version_is_rolled_back and errors", "rolled back"),
}  # fmt: skip


def apply(application: str, commit: str) -> None:
    """Waits until the commit is applied; mesh objects reach the proxies some seconds later."""
    start = datetime.now(UTC).isoformat()
    for name in ("root", application):
        c.refresh(name)

    def applied():
        root, app = c.application("root"), c.application(application)
        # of a chart at another address Git has only the values, and they are in the Application
        followed = app["status"]["sync"]["comparedTo"]["source"] == app["spec"]["source"]
        at = app["status"]["sync"]["revision"] if "path" in app["spec"]["source"] else commit
        return root["status"]["sync"]["revision"] == at == commit and c.states(root)[0] == "Synced" and followed and c.states(app) == ("Synced", "Healthy")

    c.eventually(f"{application} is Synced and Healthy at {commit[:8]}", applied, 420)
    if application == "observability":
        status = "/api/v1/namespaces/monitoring/services/prometheus-prometheus:9090/proxy/api/v1/status/runtimeinfo"
        c.eventually("Prometheus has loaded it", lambda: json.loads(c.kubectl("get", "--raw", status))["data"]["lastConfigTime"] > start, 300)
    # a change of the pod makes the kubelet refresh istiod's files; Flagger looks at its Canary every 20 s
    c.kubectl("annotate", "pod", "-n", "istio-system", "-l", "app=istiod", f"now={time.time_ns()}", "--overwrite")
    time.sleep(30 if application == "birthday-api" else 10)


@pytest.mark.parametrize("what", TABLE)
def test_it_is_noticed_that(what, installed, place, repository):
    path, old, new, application, tests, word = TABLE[what]
    text = (repository.folder / path).read_text()
    assert old in text, f"{path} does not hold {old!r}"
    (repository.folder / path).write_text(text.replace(old, new))
    commit = repository.commit(what)
    try:
        apply(application, commit)
        command = [sys.executable, "-m", "pytest", "nodes", "-x", "-k", tests]
        done = subprocess.run(command, cwd=render.GITOPS / "tests", env=os.environ | {"STAGE": str(place), "CI": "1"}, text=True, capture_output=True)
    finally:
        apply(application, repository.revert(commit))  # tests revert their own commits
    failures = re.findall(r"^(?:FAILED|ERROR) .*$", done.stdout, re.M)
    assert done.returncode == 1 and failures, done.stdout[-3000:]
    assert word in done.stdout, done.stdout[-3000:]
    print(f"\n{what}: {failures[0][:200]}")
