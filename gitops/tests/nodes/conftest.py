"""Brings up production on real nodes, from a commit."""

import base64
import functools
import itertools
import json
import os
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

import boto3
import pytest

from common.engine import docker
from common.load import Client, Load, summary
from common.start import free_port
from lib import cluster as c
from lib import render
from nodes.postgresql import Servers
from nodes.stage import NETWORK, Stage, build
from nodes.traffic import Connection

TURNS = itertools.count()  # of the gateways
ENVIRONMENT = "production"
VALUES = f"gitops/environments/{ENVIRONMENT}/birthday-api.yaml"
# Changes to Git's version in the commit, because a test has neither ten minutes nor more than two CPUs: a short interval of a
# canary, small CPU requests; a log line for each request, and a trace of every fifth. Four scrapes fit into the interval, as in
# production: the series of a new version's first error has a rate only from its second sample on, and until then every check passes.
EDITS = [
    (VALUES, "cpu: 500m", "cpu: 80m"),
    (VALUES, "\nautoscaling:", "\nsettings: {accessLog: true}\nresources: {requests: {cpu: 40m}}\ncanary: {interval: 20s}\nautoscaling:"),
    (f"gitops/environments/{ENVIRONMENT}/platform.yaml", "cpu: 500m", "cpu: 200m"),
    (f"gitops/environments/{ENVIRONMENT}/platform.yaml", "\ntraces: 1\n", "\ntraces: 20\n"),
    ("gitops/platform/observability/monitors.yaml", "interval: 15s", "interval: 5s"),
]
ROLES = """
create role birthday_owner; create role birthday_app;
create role birthday_owner_a login in role birthday_owner password '{owner}'; alter role birthday_owner_a set role = birthday_owner;
create role birthday_app_a login in role birthday_app password '{app}';
grant connect on database birthday to birthday_owner, birthday_app;
grant usage, create on schema public to birthday_owner; grant usage on schema public to birthday_app;
alter default privileges for role birthday_owner in schema public grant select, insert, update, delete on tables to birthday_app;
"""


# ------------------------------------------------------------------ what Terraform creates in AWS


@pytest.fixture(scope="session")
def bridge() -> dict:
    return render.handover(ENVIRONMENT)


@pytest.fixture(scope="session")
def names(bridge) -> dict[str, str]:
    return {**bridge["annotations"], **bridge["labels"]}


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stage")
    for path in (folder, *folder.parents[:2]):  # servers that run as other users read files in it
        path.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def double(place):
    """The address of an AWS double."""
    port = free_port()
    log = (place / "double.log").open("w")
    process = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stdout=log, stderr=log)
    yield f"http://127.0.0.1:{port}"
    process.kill()


@pytest.fixture(scope="session")
def manager(double, names):
    """A client of Secrets Manager in the account of external-secrets' role."""
    at = {"region_name": "eu-west-1", "endpoint_url": double}
    sts = boto3.client("sts", aws_access_key_id="testing", aws_secret_access_key="testing", **at)
    keys = sts.assume_role(RoleArn=names["external_secrets_role_arn"], RoleSessionName="test")["Credentials"]
    return boto3.client("secretsmanager", aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"],
                        aws_session_token=keys["SessionToken"], **at)  # fmt: skip


@pytest.fixture(scope="session")
def stage(place, double):
    running = Stage(place, double)
    running.down()
    try:
        running.up()
        yield running
    finally:
        running.down()


def certificates(folder: Path, *hosts: str) -> None:
    """Writes ca.pem, and server.crt and server.key for these names."""
    ca = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"]
    subprocess.run([*ca, "/CN=authority", "-keyout", folder / "ca.key", "-out", folder / "ca.pem"], check=True, capture_output=True)
    names = "subjectAltName=" + ",".join(f"DNS:{host}" for host in hosts)
    signed = ["-addext", names, "-addext", "basicConstraints=critical,CA:FALSE", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key"]
    subprocess.run([*ca, "/CN=server", *signed, "-keyout", folder / "server.key", "-out", folder / "server.crt"], check=True, capture_output=True)
    (folder / "server.key").chmod(0o600)


@pytest.fixture(scope="session")
def servers(stage, place, names, manager):
    """The database, with the roles and secrets that the rotation's first run creates."""
    hosts, folder = (names["database_host"], names["database_replica_host"]), place / "postgresql"
    (folder / "settings").mkdir(parents=True)
    folder.chmod(0o755)
    certificates(folder / "settings", *hosts)
    master = {"username": "birthday_admin", "password": os.urandom(12).hex()}
    running = Servers(NETWORK, folder, hosts, names["database_name"], master, {"max_connections": "200"}, stage.point)
    running.start()
    passwords = {role: os.urandom(12).hex() for role in ("owner", "app")}
    running.query(ROLES.format(**passwords).replace("database birthday ", f"database {names['database_name']} "))
    for role, key in (("owner", "database_owner_secret_name"), ("app", "database_secret_name")):
        login = {"username": f"birthday_{role}_a", "password": passwords[role]}
        manager.create_secret(Name=names[key], SecretString=json.dumps(login))
    return running


# ------------------------------------------------------------------ the cluster


@pytest.fixture(scope="session")
def applications(names) -> list[dict]:
    return render.applications(ENVIRONMENT, names)


@pytest.fixture(scope="session")
def images(stage, place, names):
    """Pushes an image of the service under the name that Terraform gave its repository, and returns its digest."""
    image = os.environ["IMAGE"]

    def push(variant: str) -> str:
        local = f"birthday-nodes/{variant}"
        if variant.startswith("bad-"):
            build(local, f'FROM scratch\nCOPY bad /bad\nENTRYPOINT ["/bad", "{variant}"]\n', Path(os.environ["EXTRA"]) / "bad")
        else:
            build(local, f"FROM {image}\nLABEL version={variant}\n")
        return stage.push(local, f"{names['image_repository']}:{variant}")

    return push


@pytest.fixture(scope="session")
def repository(place, servers) -> c.Repository:
    """The Git repository that Argo CD follows: gitops/ as it is, with EDITS and the test's certificate authority."""
    folder = place / "origin"
    running = c.Repository(folder)
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    subprocess.run(["cp", "-R", render.GITOPS, folder], check=True)
    for path, old, new in EDITS:
        text = (folder / path).read_text()
        assert old in text, (path, old)
        (folder / path).write_text(text.replace(old, new))
    [authority] = folder.glob("gitops/platform/secrets/**/rds-ca.pem")
    authority.write_bytes((place / "postgresql/settings/ca.pem").read_bytes())
    running.commit("As it is")
    return running


@pytest.fixture(scope="session")
def release(repository, images):
    """Releases a version as the delivery does: changes one line in Git."""

    def release(variant: str) -> str:
        digest, file = images(variant), repository.folder / VALUES
        line = next(line for line in file.read_text().splitlines() if line.startswith("  digest:"))
        repository.edit(VALUES, line, f"  digest: {digest}")
        repository.commit(f"Release {variant}")
        if c.get("application.argoproj.io", "birthday-api", "argocd"):
            c.refresh("birthday-api")
        return digest

    return release


@pytest.fixture(scope="session")
def installed(stage, place, bridge, applications, repository, release):
    """Starts Argo CD, runs gitops/bootstrap/install and waits until every Application is Synced and Healthy."""
    release("first")
    stage.charts(applications)
    argo = next(a for a in applications if a["metadata"]["name"] == "argo-cd")["spec"]["source"]["helm"]["valuesObject"]["configs"]["cm"]
    url = next(a["spec"]["source"]["repoURL"] for a in applications if "path" in a["spec"]["source"])
    stage.argo_cd(url, repository.folder, {k: str(v) for k, v in argo.items() if not k.startswith("timeout.")})
    (place / "bridge.json").write_text(json.dumps(bridge))
    install = [repository.folder / "gitops/bootstrap/install", ENVIRONMENT, "--bridge", place / "bridge.json", "--argo-cd", "none"]
    began = time.monotonic()
    subprocess.run(install, check=True, timeout=180)
    c.eventually("all Applications are Synced and Healthy", lambda: c.all_well(len(applications)), 900, every=3)
    least = c.get("hpa", "birthday-api-primary", c.NAMESPACE)["spec"]["minReplicas"]
    c.eventually("the autoscaler has its least number of pods", lambda: len(c.serving_pods()) == least, 120)
    print(f"\nArgo CD brought production up in {time.monotonic() - began:.0f} s", flush=True)


# ------------------------------------------------------------------ what tests use


@functools.lru_cache(1)
def ready_gateways(_second: int) -> list[str]:
    return [p["status"]["podIP"] for p in c.items("pods", "istio-ingress", "istio=ingress") if c.ready(p) and "deletionTimestamp" not in p["metadata"]]


def gateways() -> list[str]:
    """Addresses of the gateway's ready pods, each first in turn: a gateway prefers pods of its own zone, and a load must reach all zones."""
    found = ready_gateways(int(time.monotonic()))
    first = next(TURNS) % max(len(found), 1)
    return found[first:] + found[:first]


@pytest.fixture(scope="session")
def user(installed, names):
    """Creates clients of the public address."""
    return lambda: Client(Connection(gateways, names["domain_name"]), headers={"Host": names["domain_name"]})


@pytest.fixture
def load(user):
    """A steady load that already runs when the test begins."""
    with Load(user) as load:
        c.eventually("the load runs", lambda: len(load.events) > 100, 60)
        assert not load.failures, load.failures[:5]
        yield load
    print("\n" + summary(load.events))


@pytest.fixture(scope="session")
def prometheus(installed):
    def ask(query: str) -> list[dict]:
        path = "/api/v1/namespaces/monitoring/services/prometheus-prometheus:9090/proxy/api/v1/query?query="
        return json.loads(c.kubectl("get", "--raw", path + urllib.parse.quote(query)))["data"]["result"]

    return ask


@pytest.fixture(scope="session")
def pod(installed):
    """Runs a pod with curl and returns a function that calls from it: (URL, curl's arguments) -> output and status."""
    made = []

    def run(name: str, namespace: str, account: str = "default", labels: dict | None = None, sidecar: bool = True):
        security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        container = {"name": "c", "image": "nodes-debian", "imagePullPolicy": "IfNotPresent", "command": ["sleep", "infinity"], "securityContext": security}
        spec = {"serviceAccountName": account, "terminationGracePeriodSeconds": 1, "containers": [container],
                "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}}  # fmt: skip
        metadata = {"name": name, "namespace": namespace, "labels": {"sidecar.istio.io/inject": str(sidecar).lower(), **(labels or {})}}
        c.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}))
        made.append((name, namespace))
        c.eventually(f"{name} is ready", lambda: c.ready(c.get("pod", name, namespace)), 90)

        def call(url: str, *arguments: str) -> str:
            command = ["kubectl", "exec", "-n", namespace, name, "-c", "c", "--", "curl", "-sS", "--max-time", "5", "-w", " status %{http_code}", *arguments, url]
            done = subprocess.run(command, text=True, capture_output=True, timeout=60)
            return done.stdout + done.stderr

        return call

    yield run
    for name, namespace in made:
        c.kubectl("delete", "pod", name, "-n", namespace, "--ignore-not-found", "--wait=false")


def digest(workload: dict) -> str:
    """Digest of the image of a service pod, or of a workload that creates such pods."""
    pod = workload["spec"].get("template", workload)["spec"]
    return pod["containers"][0]["image"].partition("@")[2]


def on_node(pod: dict, *command: str) -> str:
    """Runs a command on the node that a pod runs on."""
    return docker("exec", f"nodes-{pod['spec']['nodeName']}", *command, limit=60)


def kill(pod: dict, container: str) -> None:
    """Kills the container's processes with SIGKILL, which they cannot handle."""
    [status] = [s for s in pod["status"]["containerStatuses"] + pod["status"].get("initContainerStatuses", []) if s["name"] == container]
    on_node(pod, "ctr", "-n", "k8s.io", "tasks", "kill", "-s", "SIGKILL", status["containerID"].partition("//")[2])


def envoy(pod: dict, path: str) -> str:
    """Queries the admin interface of a pod's proxy."""
    return c.kubectl("exec", "-n", pod["metadata"]["namespace"], pod["metadata"]["name"], "-c", "istio-proxy", "--", "pilot-agent", "request", "GET", path)


def secret(name: str) -> dict[str, str]:
    found = c.get("secret", name, c.NAMESPACE)
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}
