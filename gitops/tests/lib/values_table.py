"""The chart's values as a table: name, default, and the comment `# -- ...` above it."""

import re
import sys
from pathlib import Path

CHART = Path(__file__).resolve().parents[2] / "charts" / "birthday-api"
START, END = "<!-- values: made by gitops/tests/values-table -->", "<!-- end of values -->"


def table() -> str:
    rows, path, comment = [], [], []
    for line in (CHART / "values.yaml").read_text().splitlines():
        text = line.strip()
        if text.startswith("#"):
            comment = [text.removeprefix("# -- ")] if text.startswith("# -- ") else [*comment, text.removeprefix("# ")] if comment else []
            continue
        found = re.fullmatch(r"( *)([A-Za-z0-9]+):(?: (.+))?", line)
        if not found:
            comment = []
            continue
        indent, key, value = found.groups()
        path = [*path[: len(indent) // 2], key]
        if value is not None:
            rows.append(f"| `{'.'.join(path)}` | `{value}` | {' '.join(comment)} |")
            comment = []
    return "\n".join(["| value | default | meaning |", "| --- | --- | --- |", *rows])


def main() -> None:
    readme = CHART / "README.md"
    before = readme.read_text()
    head, _, rest = before.partition(START)
    after = f"{head}{START}\n{table()}\n{END}{rest.partition(END)[2]}"
    if sys.argv[1:] == ["--check"]:
        raise SystemExit(0 if after == before else "charts/birthday-api/README.md is not up to date: run gitops/tests/values-table")
    readme.write_text(after)


if __name__ == "__main__":
    main()
