"""IAM's decisions: policies evaluated by IAM's rules and AWS's list of actions, resources and condition keys."""

import functools
import json
from pathlib import Path

from moto.iam.aws_managed_policies import aws_managed_policies_data

from tools import iam_simulator, run

ACCOUNT = "123456789012"
REGION = {"aws:RequestedRegion": "eu-west-1"}


def ask(questions):
    script = Path(__file__).with_name("simulate.mjs")
    return json.loads(run(["node", script, iam_simulator()], input=json.dumps(questions)))


def role(name):
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def request(action, resource, policies, principal, boundary=None, **context):
    context = REGION | {key.replace("__", ":").replace("_", "/"): value for key, value in context.items()}
    return {"action": action, "resource": resource, "policies": policies, "principal": principal, "boundary": boundary, "context": context}


@functools.cache
def managed():
    """AWS managed policies, from moto's copy."""
    return json.loads(aws_managed_policies_data)


def policies_of(made, name):
    """The documents of a role's inline and attached policies."""
    own = [json.loads(policy["policy"]) for policy in made.all("aws_iam_role_policy") if policy["role"] == name]
    customer = {policy["arn"]: json.loads(policy["policy"]) for policy in made.all("aws_iam_policy")}
    arns = [link["policy_arn"] for link in made.all("aws_iam_role_policy_attachment") if link["role"] == name]
    return own + [customer.get(arn) or managed()[arn.rsplit("/", 1)[1]]["Document"] for arn in arns]
