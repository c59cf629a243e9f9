"""The whole system, step by step: each test continues where the one before stopped."""

import json
import re
import shlex
import time
from types import SimpleNamespace

import names
from common.load import lost, summary
from lib import cluster as c, render
from nodes.conftest import digest, secret
from runbooks import ALL, Kubectl, commands
from secrets_manager import current, rotate

SESSIONS = "pg_stat_activity join pg_stat_ssl using (pid) where application_name = 'birthday-api'"
DEADLINE = 5  # longest time in seconds that the service takes to answer: connect_timeout + query_timeout
PROMISED = 60  # longest failover in seconds, from the kill to the last failed request: RDS' own figure for Multi-AZ
PHASES: dict[str, float] = {}  # start time of each phase


def test_terraform_makes_the_database(chain, servers):
    chain.saw(f"Terraform   the database is applied; PostgreSQL {servers.query('show server_version')} runs as {servers.primary_host}")
    chain.saw(f"            with a synchronous standby, a replica as {servers.replica_host}, and the parameters of its group")


def test_terraform_makes_the_rest_and_the_rotation_function_the_first_logins(chain, applied, servers, client):
    stack = applied.stack()
    chain.saw(f"Terraform   production is applied: {len(stack.resources)} resources of {len({r['type'] for r in stack.resources})} types")
    logins = [current(client("secretsmanager"), s["arn"])["username"] for s in stack.all("aws_secretsmanager_secret", "rotated")]
    assert sorted(logins) == ["birthday_app_a", "birthday_owner_a"]
    have = servers.query("select rolname from pg_authid where rolcanlogin and rolpassword like 'SCRAM%' and rolname like 'birthday\\_%\\__' order by 1")
    assert have.split() == sorted(logins), "the users that Secrets Manager names have passwords, and their twins none yet"
    chain.saw(f"Lambda      called by Terraform it made {', '.join(have.split())} in PostgreSQL and in Secrets Manager")


def test_its_outputs_are_the_cluster_secret(chain, bridge, installed):
    found = c.get("secret", "in-cluster", "argocd")["metadata"]
    labels = {key: value for key, value in found["labels"].items() if key != "argocd.argoproj.io/secret-type"}
    assert (labels, found["annotations"]) == (bridge["labels"], bridge["annotations"])
    chain.saw(f"bridge      gitops/bootstrap/install made the cluster Secret: {len(labels)} labels, {len(found['annotations'])} annotations, as Terraform printed them")


def test_argo_cd_brings_production_up_from_the_commit(chain, repository, applications):
    apps = c.items("applications.argoproj.io", "argocd")
    assert {a["metadata"]["name"] for a in apps} == {a["metadata"]["name"] for a in applications} | {"root"}
    assert {c.states(a) for a in apps} == {("Synced", "Healthy")}
    committed = repository.git("rev-parse", "HEAD")
    assert c.application("birthday-api")["status"]["sync"]["revision"] == committed
    zones = c.zones(pods := c.serving_pods())
    assert set(zones.values()) == {2}, zones
    chain.saw(f"Argo CD     {len(apps)} Applications Synced and Healthy at {committed[:12]}; {len(pods)} pods, two in each of {len(zones)} zones")


def test_every_name_in_the_cluster_is_one_that_terraform_made(chain, applied, bootstrap, bridge):
    given = bridge["annotations"]
    roles = render.roles([*c.items("serviceaccounts"), *c.items("applications.argoproj.io")])
    assert {arn for _, arn in roles} == {value for key, value in given.items() if key.endswith("_role_arn")}
    spelled, state = names.spelled(), applied.state() + bootstrap.state()
    assert {value for value in given.values() if names.SPELLED.fullmatch(value)} <= spelled.keys(), "each of them arrives somewhere"
    assert {name: where for name, where in spelled.items() if name not in state} == {}, "AWS names that are not in Terraform's state"
    chain.saw(f"names       {len(spelled)} names in the cluster are spelled like a name of AWS, each as in Terraform's state")
    for (namespace, account), arn in roles:
        [role] = [r for r in applied.stack().all("aws_iam_role") if r["arn"] == arn]
        assert f'"system:serviceaccount:{namespace}:{account}"' in role["assume_role_policy"], account
    chain.saw(f"roles       {len(roles)} service accounts carry a role that trusts exactly them")


def test_the_cluster_answers_what_the_runbooks_ask_it(chain, installed):
    """Runs queries as they are and changes with `--dry-run=server`; restarts have no dry run."""
    values = {"$application": "birthday-api", "$zone": "eu-west-1a", "$node": c.kubectl("get", "nodes", "-o", "name").split()[0], "$pod": f"pod/{c.serving_pods()[0]['metadata']['name']}", "$X": "now"}
    asked, tried = set(), set()
    for command in (command for runbook in ALL for command in commands(runbook, "kubectl") if "console" not in command):  # psql.md makes that namespace
        for name, value in values.items():
            command = command.replace(name, value)
        words = shlex.split(command)[1:]
        if len(words) == 1:  # a sentence that names the verb
            continue
        if Kubectl.parse(words).verb in ("get", "describe"):
            asked.add(tuple(words))
        elif Kubectl.parse(words).verb in ("annotate", "cordon", "delete", "drain", "patch", "uncordon"):
            tried.add((*words, "--dry-run=server"))
    assert len(asked) > 30 and len(tried) > 5
    for words in sorted(asked | tried):
        c.kubectl(*words)
    chain.saw(f"runbooks    {len(asked)} questions to kubectl are answered, {len(tried)} changes would be accepted")


def test_the_migration_has_run(chain, servers):
    job = c.get("job", "birthday-api-migrate", c.NAMESPACE)
    assert job["status"]["succeeded"] == 1
    assert servers.query("select tableowner from pg_tables where tablename = 'birthdays'") == "birthday_owner"
    chain.saw(f"migrate     {digest(job)[:19]} as {owner(servers)}: the schema is there, owned by birthday_owner")


def owner(servers) -> str:
    """The owner user that logged in last, from PostgreSQL's log."""
    return re.findall(r"connection authorized: user=(birthday_owner_[ab]) .*SSL enabled", servers.log())[-1]


def test_the_pods_serve_with_the_login_that_terraform_made(chain, servers):
    assert (pods := c.serving_pods()) and sessions(servers) == {"birthday_app_a t"}
    chain.saw(f"pods        {len(pods)} of {digest(pods[0])[:19]} are ready with their sidecars, logged in as birthday_app_a over TLS, server certificate and name checked (verify-full)")


def sessions(servers) -> set[str]:
    return set(servers.query(f"select distinct usename || ' ' || ssl from {SESSIONS}").replace("true", "t").splitlines())


def test_a_steady_load_of_saves_and_lookups(chain, load):
    PHASES["steady"] = time.time()
    time.sleep(15)
    assert load.failures == []
    assert len(load.events) > 300, "too little load"
    chain.saw(f"load        {len(load.events) / 15:.0f} requests a second through the gateway's pods")


def fail_over(load, servers) -> tuple[float, float, float]:
    """When the primary was killed, and the seconds until its name had moved and until the last failed request ended."""
    killed = time.time()
    took = servers.fail_over()
    moved = time.time()
    c.eventually("saves succeed again", lambda: sum(1 for e in load.events if e.saved and e.sent > moved) > 30, 90, every=0.2)
    servers.replica_follows()
    time.sleep(DEADLINE)
    failed = [e for e in load.events if e.failed and e.ended > killed]
    assert failed, "the kill of the primary was not noticed"
    assert all(e.answer and e.answer.is_outage for e in failed), [e.how for e in failed]
    last = max(e.ended for e in failed) - killed
    assert last < PROMISED
    return killed, took, last


def test_the_primary_is_killed_and_the_standby_takes_its_place(chain, load, servers):
    PHASES["failover"], took, last = fail_over(load, servers)
    chain.saw(f"PostgreSQL  SIGKILL, promotion and the name's move took {took:.1f} s; the last failed request ended {last:.1f} s after the kill")


def test_the_passwords_rotate_under_load(chain, load, client, applied, servers):
    PHASES["rotation"] = time.time()
    manager, name = client("secretsmanager"), applied.stack().one("aws_lambda_function")["function_name"]

    def handler(event: dict, _context) -> None:
        """Calls the function as Secrets Manager does."""
        answer = client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        assert "FunctionError" not in answer, answer["Payload"].read().decode()

    function = SimpleNamespace(handler=handler)
    arns = {s["name"].rsplit("/", 1)[1]: s["arn"] for s in applied.stack().all("aws_secretsmanager_secret", "rotated")}
    for user in ("birthday_app_b", "birthday_app_a"):  # the second rotation ends the first password
        rotate(function, manager, arns["application"])
        assert current(manager, arns["application"])["username"] == user
        began = time.monotonic()
        c.eventually("the Secret follows", lambda: secret("birthday-api-database")["username"] == user, 120)
        c.eventually(f"every session is {user}'s", lambda: sessions(servers) == {f"{user} t"}, 240)
        chain.saw(f"Lambda      four steps: {user} is current; {time.monotonic() - began:.0f} s later all sessions were its")
    rotate(function, manager, arns["owner"])
    user = current(manager, arns["owner"])["username"]
    c.eventually("the owner's Secret follows", lambda: secret("birthday-api-database-owner")["username"] == user, 120)
    chain.saw(f"            the owner's too: {user}, with which the next migration will run")
    time.sleep(DEADLINE)


def test_a_commit_rolls_out_under_load(chain, load, release, servers):
    PHASES["rollout"] = time.time()
    wanted = release("second")
    c.eventually("the migration of the new version is done", lambda: migrated(wanted), 180)
    assert owner(servers) == secret("birthday-api-database-owner")["username"] == "birthday_owner_b"
    chain.saw(f"rollout     {wanted[:19]} is committed and migrated, as birthday_owner_b")

    def promoted() -> bool:
        return {digest(c.get("deployment", name, c.NAMESPACE)) for name in ("birthday-api", "birthday-api-primary")} == {wanted}

    c.eventually("Flagger has promoted it", promoted, 420)
    c.eventually("every pod that serves is of the new version", lambda: {digest(p) for p in c.serving_pods()} == {wanted}, 180)
    time.sleep(DEADLINE)
    chain.saw("            Flagger has promoted it on what Prometheus measured, and all pods are of it")


def migrated(wanted: str) -> bool:
    job = c.get("job", "birthday-api-migrate", c.NAMESPACE)
    return bool(job and digest(job) == wanted and job["status"].get("succeeded"))


def test_nothing_acknowledged_was_lost_and_nothing_failed_outside_the_failover(chain, load, servers):
    load.__exit__()
    kept = dict(line.split("|") for line in servers.query("select username, date_of_birth from birthdays").splitlines())
    assert len(load.saved) >= 100, "too few names were saved"
    assert lost(load.events, kept) == []
    failed = [e for e in load.events if e.failed]
    outside = [f"{e.how} {e.sent - PHASES['failover']:+.2f} s" for e in failed if not PHASES["failover"] <= e.ended < PHASES["rotation"]]
    assert outside == [], "requests failed outside the failover"
    chain.saw(f"verdict     {sum(1 for e in load.events if e.saved)} saves of {len(load.saved)} names were acknowledged: the last one of each name, or a later attempt, is stored")
    chain.saw(f"            {len(failed)} of {len(load.events)} requests failed, all in the failover")
    chain.saw(f"            {'phase':10} {'sent':>6} {'saved':>6} {'slowest s':>9} {'no save s':>9} {'replica':>8}  failed")
    for (name, began), end in zip(PHASES.items(), [*list(PHASES.values())[1:], time.time()]):
        chain.saw(f"            {name:10} {summary([e for e in load.events if began <= e.sent < end])}")
