"""The tables of docs/scale.md."""

import math
from collections.abc import Iterable
from dataclasses import replace

from . import inputs as known
from .simulation import TIMES, Second, Setting, capacity, morning

MILLION, DAY, MONTH = 10**6, 86_400, 730 * 3600
# Istio's own defaults, and an HPA that looks only at the service: what one gets without tuning.
SHIPPED, DEFAULTS = Setting(), Setting(sidecar_request=0.1, gateway_request=0.2, sidecar_counts=False)
READY = Setting(pods=(known.PODS[1],) * 2, gateways=(known.GATEWAYS[1],) * 2, nodes=(known.NODES[1],) * 2)
PHASES = {
    "before": (0, 300),
    "five minutes of rise": (300, 600),
    "first five at the top": (600, 900),
    "the other 25": (900, 2400),
    "fall and after": (2400, 3900),
}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|---" + "|---:" * (lines[0].count("|") - 2) + "|", *lines[1:]])


def round_down(value: float) -> str:
    """Two significant digits: more would suggest false precision."""
    unit = 10 ** max(0, math.floor(math.log10(value)) - 1)
    return f"{math.floor(value / unit) * unit:,}"


def percent(value: float) -> str:
    return "0" if value == 0 else "< 0.1 %" if value < 0.001 else f"{100 * value:.1f} %" if value < 0.1 else f"{100 * value:.0f} %"


def costs() -> str:
    head = ("load", "service, µs", "database, µs", "requests/s of one core of the service", "of one core of the database")
    loads = known.LOADS | {f"90 % GET, 10 % PUT, {rate:,} a second in a pod": known.cost(rate) for rate in (250, 1000, 4000)}
    rows = [(title, f"{1e6 * mine:.0f}", f"{1e6 * theirs:.0f}", round_down(1 / mine), round_down(1 / theirs)) for title, (mine, theirs) in loads.items()]
    return table(head, rows)


def added_at() -> int:
    """Requests/s of each pod at which the HPA wants one more."""
    busy, sidecar = (known.TARGET * (1 + known.TOLERANCE) * request for request in (known.POD_REQUEST, known.SIDECAR_REQUEST))
    return next(rate for rate in range(10, 10**6, 10) if rate * known.cost(rate)[0] > busy or rate * known.PROXY > sidecar)


def limits() -> str:
    most, inside = known.PODS[1], known.PROXY + known.APPLICATION
    rows = {
        "web ACL, for one address": known.RATE_LIMIT,
        f"CPU of the {known.NODES[0]} nodes that run": capacity(Setting(), 99, 99, known.NODES[0]),
        f"CPU of the {known.NODES[1]} nodes at most": capacity(Setting(), 99, 99, known.NODES[1]),
        f"{most} pods, each with its sidecar on a node of its own": most * known.NODE_CPU / inside,
        f"{known.GATEWAYS[1]} gateways, each on a node of its own": known.GATEWAYS[1] * known.NODE_CPU / known.PROXY,
        f"CPU of the primary, {known.INSTANCE}": known.PRIMARY / known.DATABASE,
        f"the HPA adds to {known.PODS[0]} pods": known.PODS[0] * added_at(),
        f"one thread in each of {most} pods": most / known.APPLICATION,
    }
    rows = sorted(rows.items(), key=lambda row: row[1])
    return table(("limit", "requests/s"), ((name, round_down(rate) if rate > 100 else f"{rate:.1f}") for name, rate in rows))


def bytes_of_a_row(letters: int, full: float) -> tuple[float, float]:
    """Heap and index by PostgreSQL's page layout (manual, "Database Page Layout"); `full`: how full the index's leaves are."""

    def aligned(size: int, to: int) -> int:
        return -(-size // to) * to

    name = 1 + letters
    heap = aligned(24 + aligned(name, 4) + 4, 8) + 4
    index = aligned(8 + name, 8) + 4
    return 8192 / ((8192 - 24 - 819) // heap), 8192 / (((8192 - 24 - 16) * full) // index)


def gib(people: float) -> float:
    """Names of 12 letters, inserted in random order: each index page is two thirds full."""
    return people * sum(bytes_of_a_row(12, 0.69)) / 2**30


def storage() -> str:
    rows = []
    for letters in (7, 12, 64):
        heap, index = bytes_of_a_row(letters, 0.69)
        sizes = (f"{people * (heap + index) / 1e9:,.1f}" for people in (10 * MILLION, 1000 * MILLION))
        rows.append((f"{letters} letters", f"{heap:.0f}", f"{index:.0f}", *sizes))
    return table(("name", "table, bytes a person", "index", "10 million, GB", "1 billion, GB"), rows)


def primaries() -> str:
    rows = []
    for size, (cores, memory) in known.SIZES.items():
        rates = (round_down(known.FULL * cores / theirs) for _, theirs in known.LOADS.values())
        people = known.FULL * memory / gib(1) / MILLION
        price = known.PRICES["primary"] * cores / known.SIZES["large"][0]
        rows.append((f"db.m7g.{size}", f"{cores}", f"{memory}", *rates, round_down(people), f"{price:,.0f}"))
    return table(("class", "vCPU", "GiB", "GET/s", "PUT/s", "90/10", "million people in memory", "$ a month, Multi-AZ"), rows)


def nodes_for(rate: float) -> int:
    cores = rate * (2 * known.PROXY + known.APPLICATION) / known.FULL + known.PLATFORM
    return max(known.NODES[0], math.ceil(cores / known.NODE_CPU))


def size_for(people: float) -> str:
    """The smallest primary that holds the people in memory and a birthday morning in its CPU."""
    rate = TIMES * people * known.REQUESTS_A_DAY / DAY
    fits = (size for size, (cores, memory) in known.SIZES.items() if known.FULL * memory >= gib(people) and known.FULL * cores >= rate * known.DATABASE)
    return next(fits)


def bill(people: float) -> dict[str, tuple[str, float]]:
    mean = people * known.REQUESTS_A_DAY / DAY
    size, nodes, prices = size_for(people), nodes_for(known.BUSY_HOUR * mean), known.PRICES
    scale = known.SIZES[size][0] / known.SIZES["large"][0]
    disk, units = max(50, 2 * gib(people)), max(1, mean / 25)
    logs = mean * MONTH * known.LOG_LINES * known.LOG_LINE / 1e9
    extra = nodes_for(TIMES * mean) - nodes
    return {
        "requests/s, mean; at the birthday's top": (f"{mean:,.0f}; {TIMES * mean:,.0f}", 0),
        "nodes and their disks": (f"{nodes}", nodes * prices["node"]),
        "primary with standby, and replica": (f"db.m7g.{size}", scale * (prices["primary"] + prices["replica"])),
        "database storage, three copies": (f"{disk:,.0f} GiB", disk * prices["GiB"]),
        "web ACL, by requests": (f"{mean * MONTH / 1e9:,.1f} billion", mean * MONTH / 1e6 * prices["million requests"]),
        "load balancer, units": (f"{units:,.0f}", (units - 1) * prices["unit"]),
        "access logs": (f"{logs / 1e3:,.1f} TB", logs * prices["GB of logs"]),
        "everything else": ("", prices["fixed"]),
        "nodes more for an hour of birthday morning": (f"{extra}", extra * prices["node"] / 730),
    }


def bills() -> str:
    small, large = bill(10 * MILLION), bill(1000 * MILLION)

    def cells(one: tuple[str, float]) -> tuple[str, str]:
        return one[0], f"{one[1]:,.0f}" if one[1] or not one[0] else ""

    rows = [(name, *cells(small[name]), *cells(large[name])) for name in small]
    total = [f"**{sum(cost for _, cost in one.values()):,.0f}**" for one in (small, large)]
    return table(("", "10 million people", "$ a month", "1 billion", "$ a month"), [*rows, ("**together, about**", "", total[0], "", total[1])])


def seen(seconds: list[Second]) -> tuple[str, str, str]:
    """What users see: the share of 503; for how long; and the wait that 99 of 100 answered requests do not exceed."""
    refused = sum(second.refused for second in seconds) / sum(second.offered for second in seconds)
    left = 0.01 * sum(second.answered for second in seconds)
    for second in sorted(seconds, key=lambda second: -second.wait):
        left -= second.answered
        if left <= 0:
            break
    minutes = sum(second.refused > 0 for second in seconds) / 60
    lasted = "" if not minutes else "< 1 min" if minutes < 1 else f"{minutes:.0f} min"
    return percent(refused), lasted, f"{1e3 * second.wait:,.0f}"


def people_at(people: float) -> float:
    return people * known.REQUESTS_A_DAY / DAY


def phases() -> str:
    rows = []
    for phase, (start, end) in PHASES.items():
        parts = [morning(people_at(100 * MILLION), setting)[start:end] for setting in (DEFAULTS, SHIPPED)]
        row = [phase, f"{parts[0][0].offered:,.0f} to {parts[0][-1].offered:,.0f}"]
        for part in parts:
            share, _, wait = seen(part)
            row += [f"{part[-1].pods}, {part[-1].gateways}, {part[-1].nodes}", share, wait]
        rows.append(row)
    return table(("", "requests/s", "Istio's defaults: pods, gateways, nodes", "503", "wait, ms", "shipped: the same", "503", "wait, ms"), rows)


def sized(people: float) -> Setting:
    count = nodes_for(TIMES * people_at(people))
    return Setting(pods=(count, count), gateways=(count, count), nodes=(count, count), primary=known.SIZES[size_for(people)][0])


def mornings() -> str:
    large = sized(1000 * MILLION)
    cases = (
        (10, "shipped", SHIPPED),
        (100, "**shipped**", SHIPPED),
        (100, "Istio's default requests, the HPA looks at the service alone", DEFAULTS),
        (100, "the same, with proxies at half the cost", replace(DEFAULTS, sidecar=known.PROXY / 2, gateway=known.PROXY / 2)),
        (100, "Istio's default requests, the HPA looks at the sidecar too", replace(DEFAULTS, sidecar_counts=True)),
        (100, "shipped requests, the HPA looks at the service alone", replace(SHIPPED, sidecar_counts=False)),
        (100, f"shipped, {known.NODES[1]} nodes beforehand", replace(SHIPPED, nodes=(known.NODES[1],) * 2)),
        (100, "shipped, with proxies at half the cost", replace(SHIPPED, sidecar=known.PROXY / 2, gateway=known.PROXY / 2)),
        (200, "shipped", SHIPPED),
        (200, f"{known.NODES[1]} nodes, {known.PODS[1]} pods, {known.GATEWAYS[1]} gateways beforehand", READY),
        (1000, "the same", READY),
        (1000, f"{large.nodes[0]} nodes, a pod and a gateway on each, db.m7g.{size_for(1000 * MILLION)}", large),
    )
    rows = []
    for people, title, setting in cases:
        seconds = morning(people_at(people * MILLION), setting)
        share, minutes, wait = seen(seconds[300:2400])
        most = f"{max(s.pods for s in seconds)}, {max(s.gateways for s in seconds)}, {max(s.nodes for s in seconds)}"
        rows.append((f"{people:,}", title, f"{max(s.offered for s in seconds):,.0f}", most, share, minutes, wait, percent(max(s.database for s in seconds))))
    head = ("million people", "setting", "requests/s at the top", "pods, gateways, nodes", "503", "for", "wait, ms", "database's CPU")
    return table(head, rows)


TABLES = {"costs": costs, "limits": limits, "storage": storage, "primaries": primaries, "bills": bills, "phases": phases, "mornings": mornings}
