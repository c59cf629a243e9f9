"""docker compose as a person would call it, on the project and port that `run` chose."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from common.load import Client

REPOSITORY = Path(__file__).parents[2]
PROJECT = os.environ["COMPOSE_PROJECT_NAME"]
PORT = int(os.environ["BIRTHDAY_PORT"])


def docker(*arguments: str, check: bool = True, limit: float = 300) -> str:
    """What `docker ARGUMENTS...` prints, to both outputs."""
    done = subprocess.run(
        ["docker", *arguments], cwd=REPOSITORY, text=True, timeout=limit, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if check and done.returncode:
        pytest.fail(f"docker {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout.strip()


def compose(*arguments: str, **options) -> str:
    return docker("compose", *arguments, **options)


def container(service: str) -> dict:
    """`docker inspect` of a service's container, running or not."""
    return json.loads(docker("inspect", compose("ps", "--all", "--quiet", service)))[0]


@pytest.fixture
def client() -> Client:
    return Client(PORT, keep_alive=False)


@pytest.fixture
def stack(client: Client):
    """The service, up and healthy. It goes on for the next test: starting it is the slow part."""
    compose("up", "--detach", "--wait")
    yield client
    print(compose("logs", "--no-color", "--tail", "40"))


@pytest.fixture(scope="session")
def image() -> str:
    return f"{PROJECT}-api"
