"""Terraform's, gitops' and the engine's tests wired to each other: what one makes is what the next one gets."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from common.load import Client, Load
from cluster.conftest import applications, argo_cd, charts, environment, injector, installed, monitoring, repository  # noqa: F401
from fleet import Fleet
from nodes.conftest import certificates
from pods import Kubelet
from roots import Root, copy_tree
from servers import Servers
from support import registry as registries
from support.chain import Chain
from common.engine import docker
from support.repository import ROOT, VALUES
from terraform.tests.conftest import TERRAFORM, aws, bootstrap, client, folder  # noqa: F401
from tools import TRIES, run

CLIENTS, PAUSE = 8, 0.1


@pytest.fixture(scope="session")
def chain() -> Chain:
    return Chain(Path(os.environ["WORK"]))


@pytest.fixture(scope="session")
def network():
    """One network of the engine, and the label of everything that is started in it: `run` clears away what a killed run left."""
    name = os.environ["NETWORK"]
    docker("network", "create", name)
    yield name
    left = docker("ps", "--all", "--quiet", "--filter", f"label={name}").split()
    if left:
        docker("rm", "--force", "--volumes", *left)
    docker("network", "rm", name)


# ------------------------------------------------------------------ AWS


@pytest.fixture(scope="session")
def tree(folder):  # noqa: F811
    return copy_tree(TERRAFORM, folder / "terraform")


@pytest.fixture(scope="session")
def production(tree, aws, bootstrap) -> Root:  # noqa: F811
    return Root(tree, "environments/production", aws)


@pytest.fixture(scope="session")
def servers(production, tree, client, network, folder):  # noqa: F811
    """Terraform makes the database: it is there, under that name and with that master password."""
    run([sys.executable, tree / "package"], tries=TRIES)
    production.init()
    production.apply("-target=module.environment.module.database")
    stack = production.stack()
    hosts = tuple(stack.one("aws_db_instance", name)["address"] for name in ("primary", "replica"))
    master = client("secretsmanager").get_secret_value(SecretId=stack.one("aws_secretsmanager_secret", "master")["arn"])
    parameters = {p["name"]: p["value"] for p in stack.one("aws_db_parameter_group")["parameter"]}
    place = folder / "postgresql"
    (place / "settings").mkdir(parents=True)
    certificates(place / "settings", *hosts)
    # the one difference in what is applied: the test's authority where Amazon's would be, here and in the cluster's ConfigMap
    shutil.copy(place / "settings/ca.pem", tree / "modules/secrets/rotation/rds-ca.pem")
    run([sys.executable, tree / "package"], tries=TRIES)
    database = stack.one("aws_db_instance", "primary")["db_name"]
    servers = Servers(network, place, hosts, database, json.loads(master["SecretString"]), parameters, Path(os.environ["LAMBDA_HOSTS"]))
    servers.start()
    return servers


@pytest.fixture(scope="session")
def applied(production, servers) -> Root:
    """All of it: Terraform calls the rotation function, which finds the database."""
    production.apply()
    return production


# ------------------------------------------------------------------ the cluster


@pytest.fixture(scope="session")
def bridge(applied) -> dict:
    return json.loads(applied.terraform("output", "-json", "bridge").stdout)


@pytest.fixture(scope="session")
def read_secret(client):  # noqa: F811
    manager = client("secretsmanager")

    def read(key: str) -> dict[str, str]:
        try:
            return json.loads(manager.get_secret_value(SecretId=key, VersionStage="AWSCURRENT")["SecretString"])
        except ClientError as error:
            raise RuntimeError(error) from error  # external-secrets tries again, too

    return read


@pytest.fixture(scope="session")
def images(folder):  # noqa: F811
    """Builds and pushes the image of a revision; its digest."""
    tags = []
    with registries.running(folder / "registry") as registry:

        def build(revision: str) -> str:
            tags.append(f"{registry.repository}:{revision}")
            docker("build", "--quiet", f"--build-arg=REVISION={revision}", f"--tag={tags[-1]}", str(ROOT), limit=3600)
            docker("push", "--quiet", tags[-1])
            return docker("inspect", "--format", "{{index .RepoDigests 0}}", tags[-1]).partition("@")[2]

        build.address = registry.address
        yield build
        docker("rmi", "--force", *tags)


@pytest.fixture(scope="session")
def release(repository, environment):  # noqa: F811
    """What the delivery does: one line changes."""

    def release(digest: str) -> str:
        values = VALUES.format(environment)
        line = next(line for line in (repository.folder / values).read_text().splitlines() if line.startswith("  digest:"))
        repository.edit(values, line, f"  digest: {digest}")
        return repository.commit(f"Release {digest}")

    return release


@pytest.fixture(scope="session")
def committed(repository, release, images, servers) -> str:  # noqa: F811
    """The commit that Argo CD finds first."""
    shutil.copy(servers.folder / "settings/ca.pem", repository.folder / "gitops/platform/secrets/rds-ca.pem")
    return release(images("first"))


# ------------------------------------------------------------------ the engine


@pytest.fixture(scope="session")
def fleet(network, folder, images):  # noqa: F811
    kubelet = Kubelet(network, folder / "pods", images.address)
    fleet = Fleet(kubelet)
    yield fleet
    fleet.close()


@pytest.fixture(scope="session")
def load(fleet):
    with Load(lambda: Client(fleet.balancer.port), clients=CLIENTS, pause=PAUSE) as load:
        yield load
