"""Connects Terraform's tests with those on real nodes: each step uses what the one before created."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from common.load import Load
from nodes.conftest import applications, certificates, images, installed, names, release, repository, stage, user  # noqa: F401
from nodes.postgresql import Servers
from nodes.stage import NETWORK
from roots import Root
from support.chain import Chain
from terraform.tests.conftest import aws, bootstrap, client, folder, package, tree  # noqa: F401
from tools import TRIES, run


@pytest.fixture(scope="session")
def chain() -> Chain:
    return Chain(Path(os.environ["WORK"]))


@pytest.fixture(scope="session")
def place() -> Path:
    return Path(os.environ["WORK"]) / "stage"


@pytest.fixture(scope="session")
def double(aws) -> str:  # noqa: F811
    return aws["AWS_ENDPOINT_URL"]


@pytest.fixture(scope="session")
def production(tree, aws, bootstrap) -> Root:  # noqa: F811
    return Root(tree, "environments/production", aws)


@pytest.fixture(scope="session")
def servers(tree, production, client, stage, place):  # noqa: F811
    """Terraform creates the database; PostgreSQL runs under its name and with its master password."""
    production.init()
    production.apply("-target=module.environment.module.database")
    stack = production.stack()
    hosts = tuple(stack.one("aws_db_instance", name)["address"] for name in ("primary", "replica"))
    master = client("secretsmanager").get_secret_value(SecretId=stack.one("aws_secretsmanager_secret", "master")["arn"])
    parameters = {p["name"]: p["value"] for p in stack.one("aws_db_parameter_group")["parameter"]}
    settings = place / "postgresql/settings"
    settings.mkdir(parents=True)
    certificates(settings, *hosts)
    # the only difference in what is applied: the test's certificate authority instead of Amazon's, here and in the cluster's ConfigMap
    shutil.copy(settings / "ca.pem", tree / "modules/secrets/rotation/rds-ca.pem")
    run([sys.executable, tree / "package"], tries=TRIES)
    database = stack.one("aws_db_instance", "primary")["db_name"]
    servers = Servers(NETWORK, settings.parent, hosts, database, json.loads(master["SecretString"]), parameters, stage.point)
    servers.start()
    return servers


@pytest.fixture(scope="session")
def applied(production, servers) -> Root:
    """Applies everything: Terraform calls the rotation function, which reaches the database."""
    production.apply()
    return production


@pytest.fixture(scope="session")
def bridge(applied) -> dict:
    return json.loads(applied.terraform("output", "-json", "bridge").stdout)


@pytest.fixture(scope="session")
def load(user):  # noqa: F811
    with Load(user, clients=8) as load:
        yield load
