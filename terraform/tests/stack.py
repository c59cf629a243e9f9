"""Queries on what Terraform created or plans to create."""

import json


class Stack:
    """The managed resources of a state or a plan, from `terraform show -json`."""

    def __init__(self, document):
        values = document.get("values") or document.get("planned_values")
        self.outputs = values.get("outputs", {})
        self.resources = [resource for resource in walk(values["root_module"]) if resource["mode"] == "managed"]

    def all(self, kind, name=None):
        """The values of every resource of a type, with `name` in its address if given."""
        return [resource["values"] for resource in self.resources if resource["type"] == kind and (name is None or name in resource["address"])]

    def one(self, kind, name=None):
        found = self.all(kind, name)
        assert len(found) == 1, f"{len(found)} resources of type {kind} {name or ''}, not one"
        return found[0]

    def policies(self):
        """Every IAM policy document that gives a role rights: (address, statements)."""
        for resource in self.resources:
            if resource["type"] in ("aws_iam_role_policy", "aws_iam_policy"):
                yield resource["address"], statements(resource["values"]["policy"])


def walk(module):
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from walk(child)


def statements(policy):
    found = json.loads(policy)["Statement"]
    return found if isinstance(found, list) else [found]


def listed(value):
    return value if isinstance(value, list) else [value]
