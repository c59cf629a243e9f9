import contextlib
import importlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import uuid
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest

from common.start import eventually, fetch, free_port, postgres
from roots import Root, copy_tree
from secrets_manager import MASTER, ROLES, connect, initialize
from tools import TRIES, run

TERRAFORM = Path(__file__).resolve().parents[1]
# The versions from which production is upgraded.
OLD = {
    "kubernetes_version": "1.34", "release_version": "1.34.7-20260505", "kube_proxy": "v1.34.0-eksbuild.2",
    "engine_version": "18.0", "instance_class": "db.t4g.large", "master_password_version": 1,
}  # fmt: skip


@pytest.fixture(scope="session")
def folder():
    """A temporary folder outside the repository that every user can enter, removed at the end."""
    path = Path(tempfile.mkdtemp(prefix="birthday-terraform-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def package():
    """terraform/build/rotation.zip, freshly built."""
    run([sys.executable, TERRAFORM / "package"], tries=TRIES)
    return TERRAFORM / "build" / "rotation.zip"


@pytest.fixture(scope="session")
def tree(folder, package):
    return copy_tree(TERRAFORM, folder / "terraform")


@contextlib.contextmanager
def started_double(log, region="eu-west-1"):
    """The AWS double on a free port, and the settings with which clients reach it."""
    settings = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": secrets.token_hex(8),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    port = free_port()
    own = {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true", "MOTO_ACM_VALIDATION_WAIT": "0", "PYTHONPATH": str(TERRAFORM / "tests")}
    inherited = {key: value for key, value in os.environ.items() if key not in ("AWS_ENDPOINT_URL", "AWS_PROFILE")}
    with open(log, "w") as output:
        process = subprocess.Popen([sys.executable, "-m", "double", str(port)], env=inherited | settings | own, stdout=output, stderr=output)
    url = f"http://127.0.0.1:{port}"
    try:
        eventually("the AWS double answers", lambda: process.poll() is None and fetch(url + "/moto-api/"), 180)
        yield settings | {"AWS_ENDPOINT_URL": url}
    finally:
        process.kill()  # It holds nothing worth a clean shutdown.
        process.wait()


@pytest.fixture(scope="session")
def aws(folder):
    """One double for all root modules: environments find what bootstrap created."""
    with started_double(folder / "double.log") as settings:
        yield settings


@pytest.fixture(scope="session")
def client(aws):
    """boto3's client for a service of the double."""

    def make(service, region="eu-west-1"):
        return boto3.client(
            service, region, endpoint_url=aws["AWS_ENDPOINT_URL"],
            aws_access_key_id=aws["AWS_ACCESS_KEY_ID"], aws_secret_access_key=aws["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def bootstrap(tree, aws):
    root = Root(tree, "bootstrap", aws)
    root.init()
    root.apply()
    return root


@pytest.fixture(scope="module")
def made(bootstrap):
    return bootstrap.stack()


@pytest.fixture(scope="session")
def production(tree, aws, bootstrap):
    root = Root(tree, "environments/production", aws)
    root.init()
    root.set(**OLD)
    # As if the first apply had stopped right after the master password was stored.
    root.apply("-target=module.environment.module.secrets.aws_secretsmanager_secret_version.master")
    root.apply()
    return root


# ------------------------------------------------------------------ the rotation function


@pytest.fixture(scope="session")
def server(folder):
    """PostgreSQL like RDS with rds.force_ssl: TLS only, with a certificate for localhost."""
    with postgres("log_statement=all", tls=folder / "ca.pem") as running:
        yield running


@pytest.fixture(scope="module")
def function(folder, package, server):
    """The zip file's contents as Lambda unpacks them; only RDS's certificate authority is replaced by the test's."""
    place = folder / "function"
    with zipfile.ZipFile(package) as archive:
        archive.extractall(place)
    shutil.copy(folder / "ca.pem", place / "rds-ca.pem")
    with started_double(folder / "secrets.log") as settings:
        os.environ.update(settings)
        sys.path.insert(0, str(place))
        yield importlib.import_module("rotation")
        sys.path.remove(str(place))
        for name in ("rotation", "roles"):
            sys.modules.pop(name)  # Its clients are bound to this double, which ends here.
        for name in settings:
            os.environ.pop(name)


@pytest.fixture
def manager(function, server):
    """A fresh database and fresh secrets: (client, secrets by role)."""
    url = urlsplit(server.url)
    with connect(server, {"username": url.username, "password": url.password}, name="postgres") as connection:
        connection.run("DROP DATABASE IF EXISTS birthday WITH (FORCE)")
        for user in ("birthday_owner_a", "birthday_owner_b", "birthday_app_a", "birthday_app_b", *ROLES, "birthday_admin"):
            connection.run(f"DROP ROLE IF EXISTS {user}")
        # As RDS creates its master user.
        connection.run(f"CREATE ROLE birthday_admin LOGIN CREATEROLE CREATEDB PASSWORD '{MASTER['password']}'")
        connection.run("CREATE DATABASE birthday OWNER birthday_admin")

    client = boto3.client("secretsmanager")
    run_id = uuid.uuid4().hex[:8]
    master = client.create_secret(Name=f"{run_id}/master", SecretString=json.dumps(MASTER))["ARN"]
    secrets = {role: client.create_secret(Name=f"{run_id}/{role}")["ARN"] for role in ROLES}
    os.environ |= {
        "DATABASE_HOST": "localhost", "DATABASE_PORT": str(server.port), "DATABASE_NAME": "birthday",
        "DATABASE_PROJECT": "birthday", "CONNECTION_LIMIT": "7", "MASTER_SECRET": master,
        "ROTATED_SECRETS": json.dumps(secrets),
    }  # fmt: skip
    return client, secrets


@pytest.fixture
def initialized(function, manager):
    """The same after the function's first run."""
    initialize(function)
    return manager
