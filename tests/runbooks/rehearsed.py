"""Which commands of a runbook a test or a person has run on the test doubles, and the line at its end that names the others.

For all of them, other tests check that the commands, flags and objects exist."""

import re

from runbooks import ALL, FOLDER, UNREHEARSED, commands, text_of

# program, and the pattern of its subcommand
TOLD_APART_BY = {
    "aws": r"aws ([a-z0-9-]+)", "kubectl": r"kubectl (rollout \w+|[a-z-]+)", "terraform": r"terraform (?:-\S+ )*([a-z-]+)",
    "ask": "ask()", "curl": "curl()", "dig": "dig()", "gh": r"gh ([a-z]+)", "openssl": "openssl()", "psql": "psql()",
}  # fmt: skip
REHEARSED = {
    # terraform/tests/run, on an AWS double
    "terraform init", "terraform plan", "terraform apply", "terraform destroy", "terraform output",
    # tests/whole/run, on a cluster that Argo CD has set up
    "kubectl get", "kubectl describe",
    # gitops/tests/run nodes
    "kubectl cordon", "kubectl drain", "kubectl uncordon",
    # typed by a person on 2026-11-28, page by page: on the AWS double with production applied, on a Kubernetes API with fake nodes, on PostgreSQL
    "aws acm", "aws ce", "aws cloudwatch", "aws elbv2", "aws rds", "aws secretsmanager", "aws sts",
    "kubectl annotate", "kubectl apply", "kubectl create", "kubectl delete", "kubectl patch", "kubectl rollout restart", "kubectl top", "kubectl wait",
    "psql", "terraform state",
}  # fmt: skip
IN_ONE = {("erasure", "curl")}  # test_statements.py


def units(runbook: str) -> set[str]:
    told = ((program, re.match(pattern, c)) for program, pattern in TOLD_APART_BY.items() for c in commands(runbook, program))
    return {f"{program} {what[1]}".strip() for program, what in told if what}


def unrehearsed(runbook: str) -> list[str]:
    return sorted(unit for unit in units(runbook) - REHEARSED if (runbook, unit) not in IN_ONE)


def line(runbook: str) -> str:
    names = ", ".join(f"`{unit}`" for unit in unrehearsed(runbook))
    return f"{UNREHEARSED} {names}." if names else ""


def with_line(runbook: str) -> str:
    text = text_of(runbook)
    return f"{text.rstrip()}\n\n{line(runbook)}\n" if line(runbook) else text


if __name__ == "__main__":
    for name in ALL:
        (FOLDER / f"{name}.md").write_text(with_line(name))
