"""Runs docker compose as a developer would. Project, port, images and volumes belong to this run only and are removed afterwards."""

import json
import os
from collections.abc import Iterator

import pytest

from common.engine import docker
from common.load import Client
from common.start import free_port

PROJECT, PORT = f"birthday-test-{os.getpid()}", free_port()
FILES = ["docker-compose.yml", *filter(None, [os.environ.get("COMPOSE_OVERRIDE")])]
# without the user's own settings
OWN = {"COMPOSE_DISABLE_ENV_FILE": "1", "COMPOSE_PROFILES": ""}
ENVIRONMENT = os.environ | OWN | {"COMPOSE_PROJECT_NAME": PROJECT, "COMPOSE_FILE": ":".join(FILES), "BIRTHDAY_PORT": str(PORT), "DOCKER_BUILDKIT": "1"}


def compose(*arguments: str, **options) -> str:
    return docker("compose", *arguments, env=ENVIRONMENT, **options)


def container(service: str) -> dict:
    """`docker inspect` of a service's container, running or not."""
    return json.loads(docker("inspect", compose("ps", "--all", "--quiet", service)))[0]


@pytest.fixture(scope="session")
def image() -> Iterator[str]:
    try:
        compose("build", "--quiet", limit=5400)
        yield f"{PROJECT}-api"
    finally:
        compose("down", "--volumes", "--rmi", "local", "--timeout", "1")


@pytest.fixture
def stack(image: str) -> Iterator[Client]:
    """The service, up and healthy. It keeps running for the next test, because starting it is slow."""
    compose("up", "--detach", "--wait")
    yield Client(PORT, keep_alive=False)
    print(compose("logs", "--no-color", "--tail", "40"))
