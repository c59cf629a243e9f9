"""The inputs of the calculation. What the repository sets or has measured is read from the file in question; the run stops if that
file no longer has it. Values that were not measured here are listed below, each under its own name."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Documentation: Istio, "Performance and Scalability", 1.24 and later: 0.20 vCPU for 1000 requests/s through one sidecar.
# The gateway is the same Envoy; no figure for it is published.
PROXY = 200e-6
# Documentation: Kubernetes, "Horizontal Pod Autoscaling" (sync period, tolerance) and metrics-server (resolution).
SYNC, TOLERANCE, METRICS_WINDOW, METRICS_AGE = 15, 0.1, 15, 15
# Documentation: Cluster Autoscaler, FAQ (scan-interval).
SCAN = 10
# Documentation: EKS reserves 70m of a node's two vCPUs for kubelet and system.
# The sum of the CPU requests under gitops/apps and of EKS's add-ons, taken as their usage: 0.38 on every node, and the rest.
NODE_CPU, PLATFORM = 1.93 - 0.38, 2.45

# Assumptions: from the autoscaler's decision to a node that is Ready; from a scheduled pod to its first request.
NODE_START, POD_START = 90, 8
# Assumptions: requests per person and day; the busiest hour of an ordinary day relative to the mean; bytes of a log line, and two
# lines for each traced request, one in a hundred.
REQUESTS_A_DAY, BUSY_HOUR, LOG_LINE, LOG_LINES = 1, 3, 1000, 0.02
# Assumption: the highest planned CPU utilization, and the highest share of a database's memory that its data may fill.
FULL = 0.7


def read(path: str) -> str:
    return (ROOT / path).read_text()


def found(path: str, pattern: str):
    """The value, or the values, at the only place in the file that matches."""
    matches = re.findall(pattern, read(path), re.M | re.S)
    if len(matches) != 1:
        raise SystemExit(f"{path}: {len(matches)} places match {pattern!r}, wanted 1")
    return matches[0]


def number(path: str, pattern: str) -> float:
    return float(found(path, pattern).replace(",", ""))


def costs(title: str) -> tuple[float, float]:
    """CPU seconds of application and database per request, for one load of the last benchmark."""
    row = rf"^## {title}, 64 connections$[^#]*?^\| \*\*this service\*\* on PostgreSQL \|[^|]*\|[^|]*\| (\d+) \| (\d+) \|"
    application, database = found("bench/results.md", row)
    return int(application) * 1e-6, int(database) * 1e-6


LOADS = {title: costs(title) for title in ("GET", "PUT", "90 % GET, 10 % PUT")}
APPLICATION, DATABASE = LOADS["90 % GET, 10 % PUT"]


def curve() -> list[tuple[float, float, float]]:
    """Requests/s of a pod, and the CPU seconds of service and database for one of them. Leaves out rates that could not be reached."""
    row = r"^\| ([\d,]+|as many as it can) \| ([\d,]+)[^|]*\| ([\d,]+)[^|]*\| ([\d,]+)[^|]*\|$"
    rows = [[cell.replace(",", "") for cell in cells] for cells in re.findall(row, read("bench/pod.md").split("## More connections")[0], re.M)]
    return [
        (float(rate), int(application) * 1e-6, int(database) * 1e-6)
        for asked, rate, application, database in rows
        if asked == "as many as it can" or float(rate) > 0.9 * float(asked)
    ]


CURVE = curve()


def cost(rate: float) -> tuple[float, float]:
    """CPU seconds of service and database for one request, in a pod at this rate: the lower it is, the fewer share a statement."""
    points = [(0.0, *CURVE[0][1:]), *CURVE]
    for (low, *before), (high, *after) in zip(points, points[1:], strict=False):
        if rate <= high:
            share = (rate - low) / (high - low)
            mine, theirs = (early + share * (late - early) for early, late in zip(before, after, strict=True))
            return mine, theirs
    return CURVE[-1][1:]


CHART = "gitops/charts/birthday-api/"
HPA, VALUES, HERE = CHART + "templates/hpa.yaml", CHART + "values.yaml", "gitops/environments/production/birthday-api.yaml"
PODS = int(number(HERE, r"^  min: (\d+)")), int(number(HERE, r"^  max: (\d+)"))
POD_REQUEST = number(VALUES, r"^  requests: \{cpu: (\d+)m") / 1000
SIDECAR_REQUEST = number(HERE, r"^  proxy: \{cpu: (\d+)m") / 1000
TARGET = number(VALUES, r"^  cpu: (\d+)") / 100
POOL = int(number(VALUES, r"^  maxConnections: (\d+)"))
IN_FLIGHT = int(number(VALUES, r"^    max: (\d+)") + number(VALUES, r"^    maxPending: (\d+)"))
LONGEST_QUEUE = int(number("src/store/queue.rs", r"LONGEST_QUEUE: usize = (\d+);"))


def policies(direction: str) -> tuple[int, list[tuple[str, float, int]]]:
    """Stabilisation window, and policies as (type, value, period)."""
    part = found(HPA, rf"^    {direction}:\n(.*?)(?=^    \w|\Z)")
    [window] = re.findall(r"stabilizationWindowSeconds: (\d+)", part)
    rules = re.findall(r"\{type: (\w+), value: (\d+), periodSeconds: (\d+)\}", part)
    return int(window), [(kind, float(value), int(period)) for kind, value, period in rules]


UP, DOWN = policies("scaleUp"), policies("scaleDown")
# Documentation: the defaults of an HPA without `behavior`, such as that of the gateway's chart.
DEFAULT_UP = 0, [("Percent", 100.0, 15), ("Pods", 4.0, 15)]
DEFAULT_DOWN = 300, [("Percent", 100.0, 15)]

INGRESS, PLATFORM_VALUES = "gitops/apps/templates/istio-ingress.yaml", "gitops/environments/production/platform.yaml"
GATEWAYS = tuple(map(int, found(PLATFORM_VALUES, r"^gateway: \{min: (\d+), max: (\d+),")))
GATEWAY_REQUEST = number(PLATFORM_VALUES, r"^gateway: .*cpu: (\d+)m\}") / 1000
GATEWAY_TARGET = number(INGRESS, r"targetCPUUtilizationPercentage: (\d+)") / 100

TERRAFORM = "terraform/environments/production/terraform.tfvars"
ZONES = len(found(TERRAFORM, r"^availability_zones = \[(.*?)\]").split(","))
NODES = ZONES * int(number(TERRAFORM, r"^  desired +=\s*(\d+)")), ZONES * int(number(TERRAFORM, r"^  max +=\s*(\d+)"))
INSTANCE = found(TERRAFORM, r'^  instance_class +=\s*"(.*?)"')
CONNECTIONS = int(number(TERRAFORM, r"^  max_connections +=\s*(\d+)"))
RATE_LIMIT = number(TERRAFORM, r"^rate_limit +=\s*(\d+)") / 300
# Documentation: AWS, instance classes of the m7g family: vCPUs and GiB.
SIZES = {"large": (2, 8), "xlarge": (4, 16), "2xlarge": (8, 32), "4xlarge": (16, 64), "8xlarge": (32, 128), "12xlarge": (48, 192), "16xlarge": (64, 256)}
PRIMARY = SIZES[INSTANCE.split(".")[-1]][0]


def price(row: str, copies: str = r"[^|]*") -> float:
    """Dollars a month of a row in the table of prices."""
    return number("terraform/README.md", rf"^\| {row} \| {copies}\| ([\d,]+) \|")


COUNTED_NODES = int(number("terraform/README.md", r"^\| Nodes \| (\d+) "))
PRICES = {
    "node": (price("Nodes") + price("Node disks, gp3 50 GiB")) / COUNTED_NODES,
    "primary": price("PostgreSQL primary"),
    "replica": price("Read replica"),
    "GiB": price("Database storage, gp3") / number("terraform/README.md", r"^\| Database storage, gp3 \| (\d+) GiB, three copies"),
    "fixed": number("terraform/README.md", r"^\| \*\*Together, about\*\* \| \| \*\*([\d,]+)\*\*")
    - sum(map(price, ("Nodes", "Node disks, gp3 50 GiB", "PostgreSQL primary", "Read replica", "Database storage, gp3"))),
    "GB of logs": number("terraform/README.md", r"CloudWatch Logs about ([\d.]+) per GB"),
    "million requests": number("terraform/README.md", r"web ACL about ([\d.]+) per million\s+requests"),
    "unit": number("terraform/README.md", r"load balancer unit about ([\d.]+) a\s+month"),
}
