"""docker compose as a person would call it, on the project and port that `run` chose."""

import json
import os

import pytest

from common.engine import docker
from common.load import Client

PROJECT = os.environ["COMPOSE_PROJECT_NAME"]
PORT = int(os.environ["BIRTHDAY_PORT"])


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
