"""The contents of the image, and that it starts the way Kubernetes starts it."""

import contextlib
import json
import subprocess
import tarfile
from collections.abc import Iterator

import pytest
import yaml

from common.load import Client
from common.start import eventually
from conftest import PROJECT, docker

BASE = "gcr.io/distroless/cc-debian12:nonroot"
BINARY = "usr/local/bin/birthday-api"
SHELLS = {"sh", "ash", "bash", "dash", "busybox"}


def files(image: str) -> dict[str, int]:
    """Every path in the image that is not a directory, with its size."""
    made = docker("create", image, "nothing")
    try:
        with subprocess.Popen(["docker", "export", made], stdout=subprocess.PIPE) as export:
            with tarfile.open(fileobj=export.stdout, mode="r|") as archive:
                return {entry.name: entry.size for entry in archive if not entry.isdir()}
    finally:
        docker("rm", made)


def test_adds_the_binary_alone_and_no_shell(image: str):
    ours, base = files(image), files(BASE)
    assert ours.keys() - base.keys() == {BINARY}
    assert not [path for path in ours if path.rsplit("/", 1)[-1] in SHELLS]
    assert ours[BINARY] < 20e6


@contextlib.contextmanager
def running(image: str, *options: str, command: tuple[str, ...] = ()) -> Iterator[str]:
    """A healthy container of the image; the service does not run as root."""
    made = docker("run", "--detach", "--publish=127.0.0.1::8000", "--health-interval=1s", *options, image, *command)
    try:
        wait_until_healthy(made)
        assert docker("top", made, "-eo", "pid,uid,args").splitlines()[1].split()[1:] == ["65532", "birthday-api", "serve"]
        yield made
    finally:
        print(docker("logs", made))
        docker("rm", "--force", "--volumes", made)


def client_of(made: str) -> Client:
    return Client(int(docker("port", made, "8000").rsplit(":", 1)[-1]), keep_alive=False)


def test_alone_it_keeps_birthdays_on_a_volume(image: str):
    """`docker run` as the README shows it: no settings."""
    volume = f"{PROJECT}-birthdays"
    try:
        for times in range(2):
            with running(image, f"--volume={volume}:/var/lib/birthday-api") as made:
                assert times == 1 or client_of(made).save("Ada").status == 204
                assert client_of(made).find("Ada").status == 200, "of the container before"
                docker("restart", made)
                wait_until_healthy(made)
                assert client_of(made).find("Ada").status == 200
    finally:
        docker("volume", "rm", volume)


@pytest.fixture(scope="module")
def pod() -> dict:
    """The pod spec of the chart's Deployment in production."""
    command = ["gitops/render", "production", "--only", "birthday-api", "--digest", "sha256:" + "1" * 64]
    rendered = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout
    found = [each for each in yaml.safe_load_all(rendered) if each and each["kind"] == "Deployment"]
    assert [each["metadata"]["name"] for each in found] == ["birthday-api"]
    return found[0]["spec"]["template"]["spec"]


@pytest.fixture
def secret() -> Iterator[str]:
    """The contents of the chart's projected volume, readable by the group as with `fsGroup`."""
    name = f"{PROJECT}-secret"
    docker("volume", "create", name)
    script = "mkdir database && printf birthday >database/username && printf wrong >database/password && touch rds-ca.pem"
    script += " && chown -R 0:65532 . && chmod -R u=rX,g=rX,o= ."
    docker("run", "--rm", "-v", f"{name}:/config", "-w", "/config", "postgres:18.1-bookworm", "bash", "-euc", script)
    yield name
    docker("volume", "rm", name)


def test_starts_with_the_settings_of_the_chart(image: str, pod: dict, secret: str):
    (container,) = pod["containers"]
    (mount,) = container["volumeMounts"]
    user, confined = pod["securityContext"], container["securityContext"]
    assert confined == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    options = [f"--user={user['runAsUser']}:{user['runAsGroup']}", f"--volume={secret}:{mount['mountPath']}:ro"]
    options += ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges:true"]
    options += [f"--memory={container['resources']['limits']['memory'].removesuffix('i')}".lower()]
    options += [f"--env={variable['name']}={variable['value']}" for variable in container["env"]]
    with running(image, *options, command=container["args"]) as made:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert client_of(made).request("GET", container[probe]["httpGet"]["path"]).status == 200, probe
        # the database of the chart's values does not exist here: an outage, not a failed start
        assert client_of(made).find("Ada").is_outage
        lines = docker("logs", made).splitlines()
        assert lines and all(json.loads(line)["level"] for line in lines)

        docker("stop", f"--time={pod['terminationGracePeriodSeconds']}", made)
        assert state(made)["ExitCode"] == 0


def state(made: str) -> dict:
    return json.loads(docker("inspect", made))[0]["State"]


def wait_until_healthy(made: str):
    eventually("the container is healthy", lambda: state(made)["Health"]["Status"] == "healthy" or not state(made)["Running"])
    assert state(made)["Running"], docker("logs", made)
