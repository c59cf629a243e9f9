"""The whole system, link by link: each test takes over what the one before it left."""

import base64
import json
import re
import shlex
import time

import pytest

import names
from common.load import lost, summary
from fleet import digest, serving
from lib import cluster as c
from runbooks import ALL, Kubectl, commands
from secrets_manager import current, rotate

DEADLINE = 5  # seconds that the service takes for an answer at the most: connect_timeout + query_timeout
PROMISED = 60  # seconds of a failover, from the kill to the last request that failed: RDS' own figure for Multi-AZ
SESSIONS = "pg_stat_activity join pg_stat_ssl using (pid) where application_name = 'birthday-api'"


class Phases(list):
    """When what began."""

    def begin(self, name: str) -> float:
        self.append((name, time.time()))
        return self[-1][1]

    def of(self, events: list) -> list[tuple[str, list]]:
        ends = [start for _, start in self[1:]] + [float("inf")]
        return [(name, [e for e in events if start <= e.sent < end]) for (name, start), end in zip(self, ends)]


@pytest.fixture(scope="session")
def phases() -> Phases:
    return Phases()


@pytest.fixture(scope="session")
def window() -> dict[str, float]:
    """From the moment the primary is killed to the one until which requests may fail."""
    return {}


def test_terraform_makes_the_database(chain, servers):
    chain.saw(f"Terraform   the database is applied; PostgreSQL {servers.query('show server_version')} runs as {servers.primary_host}")
    chain.saw(f"            with a synchronous standby, a replica as {servers.replica_host}, and the parameters of its group")


def test_terraform_makes_the_rest_and_the_rotation_function_the_first_logins(chain, applied, servers, client):
    stack = applied.stack()
    chain.saw(f"Terraform   production is applied: {len(stack.resources)} resources of {len(stack.types())} types")
    logins = [current(client("secretsmanager"), s["arn"])["username"] for s in stack.all("aws_secretsmanager_secret", "rotated")]
    assert sorted(logins) == ["birthday_app_a", "birthday_owner_a"]
    have = servers.query("select rolname from pg_authid where rolcanlogin and rolpassword like 'SCRAM%' and rolname like 'birthday\\_%\\__' order by 1")
    assert have.split() == sorted(logins), "the users that Secrets Manager names have passwords, and their twins none yet"
    chain.saw(f"Lambda      called by Terraform it made {', '.join(have.split())} in PostgreSQL and in Secrets Manager")


def test_its_outputs_are_the_cluster_secret(chain, bridge, committed, installed):
    found = c.get("secret", "in-cluster", "argocd")["metadata"]
    labels = {key: value for key, value in found["labels"].items() if key != "argocd.argoproj.io/secret-type"}
    assert (labels, found["annotations"]) == (bridge["labels"], bridge["annotations"])
    chain.saw(f"bridge      gitops/bootstrap/install made the cluster Secret: {len(labels)} labels, {len(found['annotations'])} annotations, as Terraform printed them")


def test_argo_cd_brings_production_up_from_the_commit(chain, committed, applications):
    apps = c.items("applications.argoproj.io", "argocd")
    assert {a["metadata"]["name"] for a in apps} == {a["metadata"]["name"] for a in applications} | {"root"}
    assert {c.states(a) for a in apps} == {("Synced", "Healthy")}
    assert c.application("birthday-api")["status"]["sync"]["revision"] == committed
    least = c.get("hpa", "birthday-api-primary", c.NAMESPACE)["spec"]["minReplicas"]
    c.eventually("the autoscaler has its least number of pods", lambda: len(c.serving_pods()) == least, 120)
    zones = c.zones(c.serving_pods())
    assert set(zones.values()) == {2}, zones
    chain.saw(f"Argo CD     {len(apps)} Applications Synced and Healthy at {committed[:12]}; {least} pods, two in each of {len(zones)} zones")


def test_every_name_in_the_cluster_is_one_that_terraform_made(chain, applied, bootstrap, bridge):
    stack = applied.stack()
    repository = bootstrap.stack().one("aws_ecr_repository")["repository_url"]
    keys = bridge["annotations"].keys() | {"aws_region"}
    made = {key: names.made(stack, key, repository) for key in keys}
    assert all(made.values())
    seen = names.seen()
    assert [s for s in seen if s.value != made[s.key]] == [], made
    assert {s.key for s in seen} == keys, "each key of the bridge arrives somewhere"
    state = applied.state() + bootstrap.state()
    strange = {name: where for name, where in names.spelled().items() if name not in state}
    assert strange == {}, "names of AWS that Terraform knows nothing of"
    chain.saw(f"names       {len(seen)} places hold {len(keys)} names, each as in Terraform's state; nothing else in the cluster is spelled like a name of AWS")
    roles = [(s, kind, where) for s, (_, kind, where, *_) in zip(seen, names.PLACES) if s.key.endswith("_role_arn")]
    for place, kind, where in roles:
        [role] = [r for r in stack.all("aws_iam_role") if r["arn"] == place.value]
        assert f'"{names.service_account(kind, where)}"' in role["assume_role_policy"], place
    chain.saw(f"roles       {len(roles)} service accounts carry a role that trusts exactly them")


def test_the_cluster_answers_what_the_runbooks_ask_it(chain, installed):
    """Questions are asked, changes are tried (`--dry-run=server`); restarts cannot be tried."""
    values = {"$application": "birthday-api", "$zone": "eu-west-1a", "$node": c.kubectl("get", "nodes", "-o", "name").split()[0], "$pod": f"pod/{c.serving_pods()[0]['metadata']['name']}", "$X": "now"}
    asked, tried = set(), set()
    for command in (command for runbook in ALL for command in commands(runbook, "kubectl") if "console" not in command):  # psql.md makes that namespace
        for name, value in values.items():
            command = command.replace(name, value)
        words = shlex.split(command)[1:]
        if Kubectl.parse(words).verb in ("get", "describe") and "istio-ca-secret" not in words:  # istiod would have made it
            asked.add(tuple(words))
        elif Kubectl.parse(words).verb in ("annotate", "cordon", "delete", "drain", "patch", "uncordon") and len(words) > 1:
            tried.add((*words, "--dry-run=server"))
    assert len(asked) > 30 and len(tried) > 5
    for words in sorted(asked | tried):
        c.kubectl(*words)
    chain.saw(f"runbooks    {len(asked)} questions to kubectl are answered, {len(tried)} changes would be accepted")


def test_the_migration_runs_as_the_job_says(chain, fleet, servers):
    job = c.get("job", "birthday-api-migrate", c.NAMESPACE)
    fleet.run_to_its_end(job)
    assert servers.query("select tableowner from pg_tables where tablename = 'birthdays'") == "birthday_owner"
    chain.saw(f"migrate     {digest(job)[:19]} ran on the engine as the Job says, as {owner(servers)}: the schema is there, owned by birthday_owner")


def owner(servers) -> str:
    """Who of the two logged in last, as PostgreSQL's log has it."""
    return re.findall(r"connection authorized: user=(birthday_owner_[ab]) .*SSL enabled", servers.log())[-1]


def test_the_image_serves_with_the_settings_that_argo_cd_applied(chain, fleet, servers):
    deployment = serving()
    fleet.start(deployment)
    c.eventually("the pods have found the database", lambda: sessions(servers), 30)
    assert sessions(servers) == {"birthday_app_a t"}
    settings = len(deployment["spec"]["template"]["spec"]["containers"][0]["env"])
    chain.saw(f"engine      {len(fleet.containers)} containers of {digest(deployment)[:19]} with the pod's {settings} settings, user, limits and mounted files are ready")
    chain.saw("            and logged in as birthday_app_a over TLS, server certificate and name checked (verify-full)")


def sessions(servers) -> set[str]:
    return set(servers.query(f"select distinct usename || ' ' || ssl from {SESSIONS}").replace("true", "t").splitlines())


def test_a_steady_load_of_saves_and_lookups(chain, load, phases):
    phases.begin("steady")
    time.sleep(15)
    assert load.failures == []
    assert len(load.events) > 300, "a load worth the name"
    chain.saw(f"load        {len(load.events) / 15:.0f} requests a second through a balancer that follows /readyz")


def test_the_primary_is_killed_and_the_standby_takes_its_place(chain, load, phases, window, servers):
    window["killed"] = phases.begin("failover")
    took = servers.fail_over()
    moved = time.time()
    window["until"] = moved + DEADLINE
    c.eventually("saves succeed again", lambda: sum(1 for e in load.events if e.saved and e.sent > moved) > 100, 60, every=0.1)
    servers.replica_follows()
    time.sleep(max(0.0, window["until"] - time.time()))
    within = [e for e in load.events if e.failed and e.sent >= window["killed"]]
    assert within, "nobody noticed that the primary was killed"
    assert all(e.answer is None or e.answer.is_outage for e in within)
    window["last"] = max(e.ended for e in within)
    assert window["last"] - window["killed"] < PROMISED
    chain.saw(f"PostgreSQL  SIGKILL, promotion and the name's move took {took:.1f} s; the last failed request ended {window['last'] - window['killed']:.1f} s after the kill")


def test_a_commit_rolls_out_under_load(chain, load, phases, images, release, fleet, servers):
    phases.begin("rollout")
    wanted = images("second")
    assert wanted != digest(serving())
    commit = release(wanted)
    c.refresh("birthday-api")
    job = c.eventually("Argo CD starts the migration of the new version", lambda: job_of(wanted), 120)
    fleet.run_to_its_end(job)
    c.eventually("Argo CD applies the Deployment", lambda: digest(c.get("deployment", "birthday-api", c.NAMESPACE)) == wanted, 120)
    c.eventually("Flagger has promoted it", lambda: digest(serving()) == wanted, 300)
    chain.saw(f"rollout     commit {commit[:12]} is synced, migrated and promoted by Flagger: {wanted[:19]}")
    took = fleet.roll_out(serving())
    chain.saw(f"            on the engine new containers became ready, old ones left after SIGTERM within {max(took):.1f} s, exit code 0")


def job_of(wanted: str) -> dict | None:
    job = c.get("job", "birthday-api-migrate", c.NAMESPACE)
    return job if job and digest(job) == wanted else None


def test_the_passwords_rotate_under_load(chain, load, phases, client, applied, fleet, servers):
    phases.begin("rotation")
    manager, function = client("secretsmanager"), Function(client("lambda"), applied.stack().one("aws_lambda_function")["function_name"])
    arns = {s["name"].rsplit("/", 1)[1]: s["arn"] for s in applied.stack().all("aws_secretsmanager_secret", "rotated")}
    for user in ("birthday_app_b", "birthday_app_a"):  # the second time the first password ends
        rotate(function, manager, arns["application"])
        assert current(manager, arns["application"])["username"] == user
        began = time.monotonic()
        c.eventually("the Secret follows", lambda: username("birthday-api-database") == user, 60, every=0.2)
        c.eventually(f"every session is {user}'s", lambda: sessions(servers) == {f"{user} t"}, 60, every=0.2)
        chain.saw(f"Lambda      four steps: {user} is current; {time.monotonic() - began:.1f} s later the mounted files were swapped and all sessions were its")
    rotate(function, manager, arns["owner"])
    secret = current(manager, arns["owner"])
    c.eventually("the owner's Secret follows", lambda: username("birthday-api-database-owner") == secret["username"], 60)
    fleet.run_to_its_end(c.get("job", "birthday-api-migrate", c.NAMESPACE))
    chain.saw(f"            the owner's too: the migration ran once more as {secret['username']}")
    time.sleep(DEADLINE)


def username(name: str) -> str:
    return base64.b64decode(c.get("secret", name, c.NAMESPACE)["data"]["username"]).decode()


class Function:
    """Calls the function as Secrets Manager does."""

    def __init__(self, client, name: str):
        self.client, self.name = client, name

    def handler(self, event: dict, _context) -> None:
        answer = self.client.invoke(FunctionName=self.name, Payload=json.dumps(event))
        assert "FunctionError" not in answer, answer["Payload"].read().decode()


def test_nothing_acknowledged_was_lost_and_nothing_failed_outside_the_failover(chain, load, phases, window, fleet, servers):
    load.__exit__()
    kept = dict(line.split("|") for line in servers.query("select username, date_of_birth from birthdays").splitlines())
    saved = load.saved
    assert len(saved) >= 100, "names worth the name"
    assert lost(load.events, kept) == []
    outside = [f"{e.how} {e.sent - window['killed']:+.2f} s" for e in load.events if e.failed and not window["killed"] <= e.sent <= window["until"]]
    assert outside == [], "requests failed outside the failover"
    assert fleet.kubelet.failed == []
    chain.saw(f"verdict     {sum(1 for e in load.events if e.saved)} saves of {len(saved)} names were acknowledged: the last one of each name, or a later attempt, is stored")
    failures = sum(e.failed for e in load.events)
    chain.saw(f"            {failures} of {len(load.events)} requests failed, all within {window['last'] - window['killed']:.1f} s of the kill; outside that none")
    chain.saw(f"            {'phase':10} {'sent':>6} {'saved':>6} {'slowest s':>9} {'no save s':>9} {'replica':>8}  failed")
    for name, events in phases.of(load.events):
        chain.saw(f"            {name:10} {summary(events)}")
