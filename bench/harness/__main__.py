"""bench/run [compare | pod]: see bench/README.md."""

import argparse
import resource
import signal
import sys
from pathlib import Path

from . import compare, pod, systems


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description="Measures the service and its peers (compare), or one pod, and writes the report.")
    parser.add_argument("what", nargs="?", choices=("compare", "pod"), default="compare")
    parser.add_argument("--rounds", type=int, default=3, help="how often each system takes its turn (3)")
    parser.add_argument("--seconds", type=float, default=4, help="how long one load lasts (4)")
    parser.add_argument("--rows", type=numbers, help="people in the table (compare: 100000; pod: 100000,1000000,10000000)")
    parser.add_argument("--rates", type=numbers, default=[250, 500, 5000, 20000], help="lookups a second on a schedule (250,500,5000,20000)")
    parser.add_argument("--only", action="append", metavar="SYSTEM", help="compare these alone: " + ", ".join(s.name for s in systems.SYSTEMS))
    parser.add_argument("--output", type=Path, default=systems.BENCH, help="where the report goes (bench/)")
    parser.add_argument("--no-build", action="store_true", help="measure the binaries of the last run")
    return parser.parse_args()


options = arguments()
options.output.mkdir(parents=True, exist_ok=True)
# The `with` blocks stop what was started, on SIGTERM too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
if not options.no_build:
    systems.build()
{"compare": compare, "pod": pod}[options.what].run(options)
