"""bench/run [compare | growth | pod]: see bench/README.md."""

import argparse
import resource
import signal
import sys
from pathlib import Path

from . import compare, growth, pod, systems


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description="Measures the service and its peers, and writes the report.")
    parser.add_argument("what", nargs="?", choices=("compare", "growth", "pod"), default="compare")
    parser.add_argument("--cache", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=3, help="how often each system takes its turn (3)")
    parser.add_argument("--seconds", type=float, default=4, help="how long one load lasts (4)")
    parser.add_argument("--rows", type=int, help="people in the table (compare: 100,000; growth: up to 10,000,000)")
    parser.add_argument("--only", action="append", metavar="SYSTEM", help="compare these alone: " + ", ".join(s.name for s in systems.SYSTEMS))
    parser.add_argument("--output", type=Path, default=systems.BENCH, help="where the report goes (bench/)")
    parser.add_argument("--no-build", action="store_true", help="measure the binaries of the last run")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    # `with` blocks end what was started, on SIGTERM too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if not options.no_build:
        systems.build(options.cache)
    {"compare": compare.run, "growth": growth.run, "pod": pod.run}[options.what](options)


main()
