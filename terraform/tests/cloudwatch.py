"""A model of CloudWatch's alarms, as far as the module uses them.

An alarm is given as Terraform plans it. Samples are one value per minute, newest last; None where nothing was published.
"""

import ast
import operator
import re
from statistics import mean

AGGREGATES = {"Sum": sum, "Average": mean, "Minimum": min, "Maximum": max}
COMPARISONS = {"GreaterThanThreshold": operator.gt, "GreaterThanOrEqualToThreshold": operator.ge, "LessThanThreshold": operator.lt}
MISSING = {"breaching": "ALARM", "notBreaching": "OK", "missing": "INSUFFICIENT_DATA"}
OPERATIONS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Div: operator.truediv}


def aggregate(samples, statistic, seconds):
    """One datapoint: a statistic over the last period. A percentile rank takes samples that are lists of values."""
    recent = [sample for sample in samples[-seconds // 60 :] if sample is not None]
    if not recent:
        return None
    if rank := re.fullmatch(r"PR\(:([\d.]+)\)", statistic):
        values = [value for sample in recent for value in sample]
        return 100 * sum(value <= float(rank[1]) for value in values) / len(values)
    return AGGREGATES[statistic](recent)


def calculate(expression, values):
    """Metric math. A result is missing if an operand is missing or the divisor is zero."""

    def of(node):
        match node:
            case ast.Expression():
                return of(node.body)
            case ast.Constant():
                return node.value
            case ast.Name():
                return values[node.id]
            case ast.Call(func=ast.Name(id="FILL")):
                filled = of(node.args[0])
                return of(node.args[1]) if filled is None else filled
            case ast.Call(func=ast.Name(id="IF")):
                condition = of(node.args[0])
                return None if condition is None else of(node.args[1] if condition else node.args[2])
            case ast.BinOp() | ast.Compare(ops=[ast.Gt()]):
                binary = isinstance(node, ast.BinOp)
                left, right = of(node.left), of(node.right if binary else node.comparators[0])
                if left is None or right is None or (binary and isinstance(node.op, ast.Div) and right == 0):
                    return None
                return OPERATIONS[type(node.op)](left, right) if binary else left > right
        raise AssertionError(f"not metric math that is known here: {ast.dump(node)}")

    return of(ast.parse(expression, mode="eval"))


def state(alarm, samples):
    """The state of an alarm on a metric, from its samples, or on an expression, from a dict of each metric's samples."""
    if alarm["metric_name"]:
        values = [
            aggregate(samples[: len(samples) - ago * alarm["period"] // 60], alarm["statistic"], alarm["period"]) for ago in range(alarm["evaluation_periods"])
        ]
    else:
        [expression] = [query["expression"] for query in alarm["metric_query"] if query["return_data"]]
        measured = {query["id"]: query["metric"][0] for query in alarm["metric_query"] if query["metric"]}
        assert alarm["evaluation_periods"] == 1
        values = [
            calculate(expression, {name: aggregate(samples[metric["metric_name"]], metric["stat"], metric["period"]) for name, metric in measured.items()})
        ]
    states = {
        MISSING[alarm["treat_missing_data"]] if value is None
        else "ALARM" if COMPARISONS[alarm["comparison_operator"]](value, alarm["threshold"])
        else "OK"
        for value in values
    }  # fmt: skip
    return "ALARM" if states == {"ALARM"} else "INSUFFICIENT_DATA" if states == {"INSUFFICIENT_DATA"} else "OK"


def composite_state(alarm, states):
    """The state of a composite alarm, from the states of its alarms."""
    rule = re.sub(r'ALARM\("([^"]+)"\)', lambda found: str(states[found[1]] == "ALARM"), alarm["alarm_rule"])
    assert re.fullmatch(r"(True|False|AND|OR|[() ])+", rule), rule
    return "ALARM" if eval(rule.replace("AND", "and").replace("OR", "or")) else "OK"
