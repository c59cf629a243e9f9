"""The environments on the AWS double: they follow the rules, their roles have the right permissions, and they can be destroyed.

Production has gone through test_day_two.py before. Staging is planned here; test_installation.py applies it.
"""

import copy
import json
import re

import pytest

from permissions import ACCOUNT, ask, policies_of, request, role
from roots import Root
from rules import RULES
from stack import Stack, listed

@pytest.fixture(scope="module")
def made(production):
    return production.stack()


@pytest.mark.parametrize("name", RULES)
def test_rule_holds(made, name):
    RULES[name](made)


@pytest.mark.parametrize(
    ("name", "index"), [(name, index) for name, rule in RULES.items() for index in range(len(rule.broken_by))]
)
def test_rule_notices_its_violation(made, name, index):
    broken = copy.deepcopy(made)
    RULES[name].broken_by[index](broken)
    with pytest.raises((AssertionError, KeyError, TypeError, IndexError)):
        RULES[name](broken)


# AWS's policy for control planes also allows load balancers, routes and security groups, for an unused type of Service.
NOT_USED = re.compile(
    r"elasticloadbalancing:(?!Describe|(Der|R)egisterTargets)|autoscaling:Update|ec2:(Create|Delete)(Route|SecurityGroup)|ec2:(Authorize|Revoke)|ec2:ModifyInstanceAttribute"
    r"|iam:CreateServiceLinkedRole|ecr:BatchImportUpstreamImage|logs:GetLogEvents"
)


def context_of(statement, name):
    """The values that a statement's conditions require, and those that AWS adds to a request on the environment's resources."""
    asked = {key: listed(values)[0] for tests in statement.get("Condition", {}).values() for key, values in tests.items()}
    return asked | {"aws:PrincipalArn": role(name), "kms:EncryptionContext:SecretARN": f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:birthday-production/x"}


def test_the_boundary_lets_every_role_do_its_work(made, bootstrap):
    """AWS allows only what policy and boundary both allow: what only the policy allows would fail unnoticed."""
    boundary = json.loads(bootstrap.stack().one("aws_iam_policy", 'boundary["production"]')["policy"])
    asked = []
    for found in made.all("aws_iam_role"):
        own = [statement for policy in policies_of(made, found["name"]) for statement in policy["Statement"] if statement["Effect"] == "Allow"]
        for statement in own:
            for action in listed(statement["Action"]):
                for resource in listed(statement["Resource"]) if not NOT_USED.match(action) else []:
                    resource = resource.replace("*:*:log-group", f"eu-west-1:{ACCOUNT}:log-group").replace("??????", "abcdef")
                    question = request(action, resource, [{"Version": "2012-10-17", "Statement": [statement]}], role(found["name"]), boundary)
                    asked.append(question | {"context": question["context"] | context_of(statement, found["name"])})
    assert len(asked) > 80
    decided = zip(asked, ask(asked), strict=True)
    # Errors are fine: "*" stands for many resources there, or the action does not apply to the resource and AWS ignores it, too.
    assert [(q["principal"], q["action"], q["resource"], d) for q, d in decided if d.endswith("Denied")] == []


# ------------------------------------------------------------------ staging


@pytest.fixture(scope="module")
def staging(tree, aws, bootstrap):
    root = Root(tree, "environments/staging", aws)
    root.init()
    return Stack(root.plan())


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.planned])
def test_rule_holds_in_staging(staging, name):
    RULES[name](staging)


def test_staging_is_cheaper_by_its_values(staging):
    assert len(staging.all("aws_nat_gateway")) == 1
    assert len(staging.all("aws_db_instance")) == 1 and not staging.one("aws_db_instance")["multi_az"]
    assert len(staging.all("aws_vpc_endpoint", "interface")) == 1
    assert len(staging.all("aws_eks_node_group")) == 3


# ------------------------------------------------------------------ the end


def destroyed(root):
    root.set(deletion_protection=False)
    root.apply()
    root.terraform("destroy", "-no-color", "-auto-approve")
    assert root.terraform("state", "list").stdout == ""


def test_everything_can_be_destroyed(production, bootstrap, client):
    destroyed(production)
    destroyed(bootstrap)

    assert client("logs").describe_log_groups()["logGroups"] == [], "the provider can leave them"
    assert [found["DBSnapshotIdentifier"] for found in client("rds").describe_db_snapshots()["DBSnapshots"]] == ["birthday-production-final"]
