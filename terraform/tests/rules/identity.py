"""IAM: roles and their permissions."""

import json

from . import change, edit, rule
from permissions import ACCOUNT
from stack import listed, statements

# Actions without resource-level permissions; every other statement names its resources.
WITHOUT_RESOURCE = (
    "autoscaling:Describe", "cloudwatch:PutMetricData", "ec2:Describe", "ec2:GetInstanceTypesFromInstanceRequirements",
    "elasticloadbalancing:Describe", "xray:Put",
)  # fmt: skip

# Lambda creates the function's network interfaces with its role; the code itself is denied these actions.
NETWORK_OF_ROTATION = {
    "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
}  # fmt: skip

SERVICE_ACCOUNTS = {
    "birthday-production-birthday-api": "birthday-api:birthday-api",
    "birthday-production-load-balancer-controller": "kube-system:aws-load-balancer-controller",
    "birthday-production-external-secrets": "external-secrets:external-secrets",
    "birthday-production-cluster-autoscaler": "kube-system:cluster-autoscaler",
    "birthday-production-cloudwatch-agent": "amazon-cloudwatch:cloudwatch-agent",
    "birthday-production-alertmanager": "monitoring:alertmanager",
    "birthday-production-ebs-csi": "kube-system:ebs-csi-controller-sa",
    "birthday-production-vpc-cni": "kube-system:aws-node",
}


def widen(address, **parts):
    """A change of the first Allow statement of a policy."""

    def apply(stack):
        policy = stack.one("aws_iam_role_policy", address)
        document = json.loads(policy["policy"])
        next(found for found in document["Statement"] if found["Effect"] == "Allow").update(parts)
        policy["policy"] = json.dumps(document)

    return apply


@rule(
    widen('"external-secrets"', Action="*", Resource="*"),
    widen("rotation", Action="secretsmanager:*"),
    widen('"external-secrets"', Resource="*"),
    widen('"load-balancer-controller"', Resource="*"),
)
def policies_name_actions_and_resources(stack):
    allowed = [(address, s) for address, found in stack.policies() for s in found if s["Effect"] == "Allow"]
    for address, statement in allowed:
        for action in listed(statement.get("Action", "*")):
            assert not action.endswith(":*") and action != "*", f"{address} allows {action}"
            network = "rotation" in address and action in NETWORK_OF_ROTATION
            named = "*" not in listed(statement["Resource"])
            assert named or network or action.startswith(WITHOUT_RESOURCE), f"{address} allows {action} on everything"


# These AWS services act for many accounts: the role says for which one.
DEPUTIES = {"monitoring.rds.amazonaws.com", "vpc-flow-logs.amazonaws.com"}


@rule(
    edit("aws_iam_role", '"external-secrets"', assume_role_policy=(":external-secrets:external-secrets", ":external-secrets:*")),
    edit("aws_iam_role", '"external-secrets"', assume_role_policy=('"sts.amazonaws.com"', '"*"')),
    edit("aws_iam_role", "aws_iam_role.flow", assume_role_policy=("aws:SourceAccount", "aws:PrincipalAccount")),
)
def each_role_trusts_one(stack):
    """A role trusts one service account, by name and audience, or one AWS service."""
    found = {}
    for role in stack.all("aws_iam_role"):
        [statement] = statements(role["assume_role_policy"])
        if statement["Action"] != "sts:AssumeRoleWithWebIdentity":
            assert set(statement["Principal"]) == {"Service"}, role["name"]
            deputy = statement["Principal"]["Service"] in DEPUTIES
            assert statement.get("Condition") == ({"StringEquals": {"aws:SourceAccount": ACCOUNT}} if deputy else None), role["name"]
            continue
        assert list(statement["Condition"]) == ["StringEquals"]
        conditions = {key.rsplit(":", 1)[1]: value for key, value in statement["Condition"]["StringEquals"].items()}
        assert conditions["aud"] == "sts.amazonaws.com", role["name"]
        found[role["name"]] = conditions["sub"].removeprefix("system:serviceaccount:")
    assert found == SERVICE_ACCOUNTS


@rule(change("aws_iam_role", "control_plane", permissions_boundary=None), planned=True)
def every_role_has_the_boundary(stack):
    for role in stack.all("aws_iam_role"):
        assert (role["permissions_boundary"] or "").endswith(f":policy/birthday-boundary-{role['tags_all']['Environment']}"), role["name"]


@rule(edit("aws_iam_role_policy", '"cluster-autoscaler"', policy=("k8s.io/cluster-autoscaler/birthday-production", "k8s.io/cluster-autoscaler/enabled")))
def autoscaler_scales_this_cluster_only(stack):
    found = statements(stack.one("aws_iam_role_policy", '"cluster-autoscaler"')["policy"])
    [scaling] = [statement for statement in found if "autoscaling:SetDesiredCapacity" in listed(statement["Action"])]
    assert scaling["Condition"] == {"StringEquals": {"aws:ResourceTag/k8s.io/cluster-autoscaler/birthday-production": "owned"}}


@rule(
    edit("aws_iam_role_policy", "ebs_csi_role", policy=("ec2:DescribeInstanceTypes", "ec2:DescribeInstances")),
    edit("aws_iam_role_policy", '"cloudwatch-agent"', policy=("ec2:DescribeInstances", "ec2:DescribeTags")),
    edit("aws_iam_role_policy", '"cloudwatch-agent"', policy=("xray:PutTraceSegments", "xray:PutTelemetryRecords")),
    widen('"external-secrets"', Resource=["arn:aws:secretsmanager:eu-west-1:123456789012:secret:other"]),
    widen('"load-balancer-controller"', Action=["elasticloadbalancing:DeleteLoadBalancer"]),
    widen('"alertmanager"', Action=["sns:Publish", "sns:Subscribe"]),
    widen('"alertmanager"', Resource=["arn:aws:sns:eu-west-1:123456789012:other"]),
)
def controllers_reach_what_they_need(stack):
    secrets = {stack.one("aws_secretsmanager_secret", f'"{name}"')["arn"] for name in ("owner", "application")}
    reading = statements(stack.one("aws_iam_role_policy", '"external-secrets"')["policy"])[0]
    assert set(reading["Resource"]) == secrets, "both rotated secrets, and not the master's"
    keeping = statements(stack.one("aws_iam_role_policy", '"load-balancer-controller"')["policy"])[0]
    assert keeping["Resource"] == stack.one("aws_lb_target_group")["arn"]
    assert set(keeping["Action"]) == {"elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"}
    ringing, encrypting = statements(stack.one("aws_iam_role_policy", '"alertmanager"')["policy"])
    topic = stack.one("aws_sns_topic", "topic.alarms")
    assert (ringing["Action"], ringing["Resource"]) == ("sns:Publish", topic["arn"])
    assert encrypting["Resource"] == topic["kms_master_key_id"], "it cannot publish to an encrypted topic"
    # The policy that the EBS driver's authors recommend from version 1.59 on.
    attaching = statements(stack.one("aws_iam_role_policy", "ebs_csi_role")["policy"])[0]
    calls = ("AvailabilityZones", "InstanceTypes", "Instances", "Snapshots", "Tags", "VolumeStatus", "Volumes", "VolumesModifications")
    assert set(attaching["Action"]) == {f"ec2:Describe{call}" for call in calls}
    agent = statements(stack.one("aws_iam_role_policy", '"cloudwatch-agent"')["policy"])
    # The limit of one hop keeps instance metadata from it; traces are sent with its role, too.
    assert {"ec2:DescribeInstances", "xray:PutTelemetryRecords", "xray:PutTraceSegments"} <= {action for s in agent for action in listed(s["Action"])}


@rule(edit("aws_iam_role_policy", '"birthday-api"', policy=("Deny", "Allow")))
def the_service_calls_no_aws_api(stack):
    [statement] = statements(stack.one("aws_iam_role_policy", '"birthday-api"')["policy"])
    assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Deny", "*", "*")
