"""What IAM decides: policies evaluated by its rules and by AWS's list of actions, resources and condition keys."""

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
    """The policies that AWS manages, as moto carries them."""
    return json.loads(aws_managed_policies_data)


def policies_of(made, name):
    """The documents of a role's own policies and of those attached to it."""
    own = [json.loads(policy["policy"]) for policy in made.all("aws_iam_role_policy") if policy["role"] == name]
    customer = {policy["arn"]: json.loads(policy["policy"]) for policy in made.all("aws_iam_policy")}
    arns = [link["policy_arn"] for link in made.all("aws_iam_role_policy_attachment") if link["role"] == name]
    return own + [customer.get(arn) or managed()[arn.rsplit("/", 1)[1]]["Document"] for arn in arns]
