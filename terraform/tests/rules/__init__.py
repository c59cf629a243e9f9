"""What must be true of an environment. The AWS double accepts nearly everything, these rules do not.

A rule is a function that takes a Stack and asserts; `broken_by` are changes of the stack,
each of which must make the rule fail (the tests apply them and check).
"""

import json

RULES = {}


def rule(*broken_by, planned=False):
    """Registers a rule. `planned`: it can be checked on a plan, before identifiers are known."""

    def register(function):
        function.broken_by, function.planned = broken_by, planned
        assert broken_by, f"{function.__name__} is never seen failing"
        RULES[function.__name__] = function
        return function

    return register


def change(kind, name=None, /, **values):
    """A change that sets values in all resources of a type."""

    def apply(stack):
        found = stack.all(kind, name)
        assert found, f"nothing to change: {kind} {name}"
        for resource in found:
            for key, value in values.items():
                # `a__b` is argument b of the first block a.
                *blocks, last = key.split("__")
                place = resource
                for block in blocks:
                    place = place[block][0]
                place[last] = value

    return apply


def edit(kind, name=None, /, **texts):
    """A change that replaces text in an attribute of the only resource, in its JSON if it is not text: attribute=(old, new)."""

    def apply(stack):
        resource = stack.one(kind, name)
        for key, (old, new) in texts.items():
            value = resource[key] if isinstance(resource[key], str) else json.dumps(resource[key])
            assert old in value, f"nothing to change: {old}"
            value = value.replace(old, new)
            resource[key] = value if isinstance(resource[key], str) else json.loads(value)

    return apply


def remove(kind, name=None, /, count=None):
    """A change that removes resources of a type: all, or the first `count`."""

    def apply(stack):
        gone = [r for r in stack.resources if r["type"] == kind and (name is None or name in r["address"])][:count]
        assert gone, f"nothing to remove: {kind} {name}"
        stack.resources = [resource for resource in stack.resources if resource not in gone]

    return apply


from . import alarms, cluster, database, edge, identity, logs, network  # noqa: E402, F401
