"""The pods that serve, and the way to them."""

import time

from lib import cluster as c
from pods import Container, Kubelet
from traffic import Balancer

PODS = 2


class Fleet:
    """A few of the pods of a Deployment, on the engine."""

    def __init__(self, kubelet: Kubelet):
        self.kubelet = kubelet
        self.containers: list[Container] = []
        self.balancer: Balancer | None = None

    def start(self, deployment: dict) -> None:
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        [port] = [p["containerPort"] for p in container["ports"] if p["name"] == container["readinessProbe"]["httpGet"]["port"]]
        self.balancer = Balancer(container["readinessProbe"], port)
        for _ in range(PODS):
            self._add(deployment)

    def roll_out(self, deployment: dict) -> list[float]:
        """As the Deployment asks for: none less than before (maxUnavailable 0), one more at a time. Seconds that each one took to leave."""
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        took = []
        for old in list(self.containers):
            self._add(deployment)
            began = time.monotonic()
            address = old.address
            code = old.terminate()
            took.append(time.monotonic() - began)
            self.balancer.remove(address)
            self.containers.remove(old)
            assert code == 0, f"{old.name} ended with {code}:\n{old.log[-2000:]}"
        return took

    def run_to_its_end(self, job: dict) -> str:
        """The log of a Job's pod that ended well."""
        container = self.kubelet.start(job)
        code = container.ends()
        assert code == 0, f"{container.name} ended with {code}:\n{container.log[-2000:]}"
        return container.log

    def _add(self, deployment: dict) -> None:
        container = self.kubelet.start(deployment)
        self.containers.append(container)
        self.balancer.add(container.address)

    def close(self) -> None:
        self.kubelet.close()
        if self.balancer:
            self.balancer.close()


def serving() -> dict:
    """The Deployment that takes users' requests: Flagger's copy of the one in Git."""
    found = c.get("deployment", "birthday-api-primary", c.NAMESPACE)
    assert found, "Flagger has made no stable Deployment"
    return found


def digest(deployment: dict) -> str:
    return deployment["spec"]["template"]["spec"]["containers"][0]["image"].partition("@")[2]
