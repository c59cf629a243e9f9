"""A birthday morning, second by second: offered load, the autoscalers of pods, gateways and nodes, and how much is answered.

CPU is the limit. Everything on the nodes shares it evenly. When the cluster is full, as many requests wait as the gateways hold, and
the rest are answered 503 at no cost. There is no randomness: the same values give the same morning.
"""

import math
from collections import deque
from dataclasses import dataclass
from functools import cache

from . import inputs as known

BEFORE, CLIMB, TOP, FALL, AFTER = 300, 300, 1800, 600, 900
TIMES = 20
WAITING = math.inf


def offered(second: int, base: float) -> float:
    """Rises to x20 within five minutes, stays there for half an hour, and falls back within ten minutes."""
    since = second - BEFORE
    height = min(1, since / CLIMB, (CLIMB + TOP + FALL - since) / FALL)
    return base * (1 + (TIMES - 1) * max(0, height))


@dataclass(frozen=True)
class Setting:
    """The configuration: the repository's values, unless others are given."""

    pods: tuple[int, int] = known.PODS
    gateways: tuple[int, int] = known.GATEWAYS
    nodes: tuple[int, int] = known.NODES
    sidecar_request: float = known.SIDECAR_REQUEST
    gateway_request: float = known.GATEWAY_REQUEST
    sidecar_counts: bool = True  # whether the service's HPA looks at the sidecar too
    sidecar: float = known.PROXY  # CPU seconds of a request
    gateway: float = known.PROXY
    primary: int = known.PRIMARY  # vCPUs of the database


class Autoscaler:
    """The HPA's algorithm and its `behavior`, on a list of pods: the second from which each serves."""

    def __init__(self, limits: tuple[int, int], targets: list[float], up, down) -> None:
        self.limits, self.targets, self.up, self.down = limits, targets, up, down
        self.pods = [-WAITING] * limits[0]
        self._changes: list[tuple[int, int]] = []
        self._advice: deque[tuple[int, int]] = deque()

    def ready(self, now: int) -> int:
        return sum(start <= now for start in self.pods)

    def sync(self, now: int, usages: list[float]) -> None:
        """`usages`: cores that all pods use together, one value for each target (cores per pod)."""
        count = len(self.pods)
        ratios = [usage / (target * count) for usage, target in zip(usages, self.targets, strict=True)]
        wanted = max(count if abs(ratio - 1) <= known.TOLERANCE else math.ceil(round(ratio * count, 9)) for ratio in ratios)
        self._advice.append((now, wanted))
        while self._advice[0][0] <= now - max(self.down[0], 1):
            self._advice.popleft()
        if wanted < count:
            wanted = min(count, max(advice for _, advice in self._advice))
        wanted = min(max(wanted, self.limits[0]), self.limits[1])
        if wanted > count:
            wanted = min(wanted, max(self._bound(rule, now, 1) for rule in self.up[1]))
        elif wanted < count:
            wanted = max(wanted, min(self._bound(rule, now, -1) for rule in self.down[1]))
        if wanted != count:
            self._changes.append((now, wanted - count))
            self.pods = sorted(self.pods)[:wanted] + [WAITING] * (wanted - count)

    def _bound(self, rule: tuple[str, float, int], now: int, sign: int) -> int:
        """The count that one policy allows, from the count a period ago."""
        kind, value, period = rule
        then = len(self.pods) - sum(change for at, change in self._changes if at > now - period and change * sign > 0)
        return math.ceil(then * (1 + sign * value / 100)) if kind == "Percent" else int(then + sign * value)


@dataclass(frozen=True)
class Second:
    offered: float
    answered: float
    refused: float
    wait: float
    pods: int
    gateways: int
    nodes: int
    service_cpu: float  # cores
    database: float  # share of its CPU


def capacity(setting: Setting, pods: int, gateways: int, nodes: int, service: float = known.APPLICATION) -> float:
    """Requests a second that can be answered, up to the first limit reached. `service`: CPU seconds of a request on the nodes. At a
    thread or database that is itself full, requests wait and share statements: both are counted at their cheapest."""
    inside = setting.sidecar + service
    return min(
        (nodes * known.NODE_CPU - known.PLATFORM) / (setting.gateway + inside),
        min(pods, nodes) * known.NODE_CPU / inside,
        min(gateways, nodes) * known.NODE_CPU / setting.gateway,
        pods / known.APPLICATION,
        setting.primary / known.DATABASE,
    )


@cache
def morning(base: float, setting: Setting) -> list[Second]:
    targets = [known.TARGET * known.POD_REQUEST] + [known.TARGET * setting.sidecar_request] * setting.sidecar_counts
    service = Autoscaler(setting.pods, targets, known.UP, known.DOWN)
    gateway = Autoscaler(setting.gateways, [known.GATEWAY_TARGET * setting.gateway_request], known.DEFAULT_UP, known.DEFAULT_DOWN)
    requests = {id(service): known.POD_REQUEST + setting.sidecar_request, id(gateway): setting.gateway_request}
    at_rest = known.PLATFORM + sum(requests[id(scaler)] * len(scaler.pods) for scaler in (service, gateway))
    nodes, queue, seconds = [-WAITING] * max(setting.nodes[0], math.ceil(at_rest / known.NODE_CPU)), 0.0, []
    for now in range(BEFORE + CLIMB + TOP + FALL + AFTER):
        # The scheduler, by requests; then the node autoscaler, which looks at what could not be scheduled.
        here = sum(start <= now for start in nodes)
        room = here * known.NODE_CPU - known.PLATFORM
        room -= sum(requests[id(scaler)] * sum(start < WAITING for start in scaler.pods) for scaler in (service, gateway))
        missing = 0.0
        for scaler in (service, gateway):
            for place, start in enumerate(scaler.pods):
                if start == WAITING and room >= requests[id(scaler)]:
                    scaler.pods[place] = now + known.POD_START
                    room -= requests[id(scaler)]
                elif start == WAITING:
                    missing += requests[id(scaler)]
        if now % known.SCAN == 0 and missing:
            coming = (len(nodes) - here) * known.NODE_CPU
            more = math.ceil((missing - room - coming) / known.NODE_CPU)
            nodes += [now + known.NODE_START] * min(max(more, 0), setting.nodes[1] - len(nodes))

        pods, gateways, load = service.ready(now), gateway.ready(now), offered(now, base)
        service_cost, database_cost = known.cost(load / pods)
        able = capacity(setting, pods, gateways, here, service_cost)
        answered = min(able, load + queue)
        queue += load - answered
        refused = max(0.0, queue - min(gateways * known.IN_FLIGHT, pods * known.LONGEST_QUEUE))
        queue -= refused
        used = answered * service_cost, min(1, answered * database_cost / setting.primary)
        seconds.append(Second(load, answered, refused, queue / able, pods, gateways, here, *used))

        if now % known.SYNC == 0 and now >= known.METRICS_AGE + known.METRICS_WINDOW:
            window = seconds[now - known.METRICS_AGE - known.METRICS_WINDOW : now - known.METRICS_AGE]
            rate, busy = (sum(values) / len(window) for values in ((s.answered for s in window), (s.service_cpu for s in window)))
            service.sync(now, [busy] + [rate * setting.sidecar] * setting.sidecar_counts)
            gateway.sync(now, [rate * setting.gateway])
    return seconds
