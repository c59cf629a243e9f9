"""IAM: who may do what."""

import json

from . import change, rule
from stack import listed, statements

# Calls that AWS offers no resource for; everything else names what it is about.
WITHOUT_RESOURCE = (
    "autoscaling:Describe", "cloudwatch:PutMetricData", "ec2:Describe", "ec2:GetInstanceTypesFromInstanceRequirements",
    "elasticloadbalancing:Describe", "xray:Put",
)  # fmt: skip

# Lambda makes the function's network interfaces with its role; the code itself is denied them.
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
    """A change of the first allowing statement of a policy."""

    def apply(stack):
        policy = stack.one("aws_iam_role_policy", address)
        document = json.loads(policy["policy"])
        next(found for found in document["Statement"] if found["Effect"] == "Allow").update(parts)
        policy["policy"] = json.dumps(document)

    return apply


@rule(widen('"external-secrets"', Action="*", Resource="*"), widen("rotation", Action="secretsmanager:*"))
def no_wildcard_actions(stack):
    for address, found in stack.policies():
        for statement in found:
            if statement["Effect"] == "Allow":
                for action in listed(statement.get("Action", "*")):
                    assert not action.endswith(":*") and action != "*", f"{address} allows {action}"


@rule(widen('"external-secrets"', Resource="*"), widen('"load-balancer-controller"', Resource="*"))
def policies_name_their_resources(stack):
    for address, found in stack.policies():
        for statement in found:
            if statement["Effect"] != "Allow" or "*" not in listed(statement["Resource"]):
                continue
            for action in listed(statement["Action"]):
                network = "rotation" in address and action in NETWORK_OF_ROTATION
                assert network or action.startswith(WITHOUT_RESOURCE), f"{address} allows {action} on everything"


def trust_a_namespace(stack):
    role = stack.one("aws_iam_role", '"external-secrets"')
    role["assume_role_policy"] = role["assume_role_policy"].replace(":external-secrets:external-secrets", ":external-secrets:*")


def trust_any_audience(stack):
    role = stack.one("aws_iam_role", '"external-secrets"')
    role["assume_role_policy"] = role["assume_role_policy"].replace('"sts.amazonaws.com"', '"*"')


@rule(trust_a_namespace, trust_any_audience)
def roles_for_service_accounts(stack):
    """Each role trusts one service account, by name and audience, and nobody else."""
    found = {}
    for role in stack.all("aws_iam_role"):
        [statement] = statements(role["assume_role_policy"])
        if statement["Action"] != "sts:AssumeRoleWithWebIdentity":
            assert set(statement["Principal"]) == {"Service"}, role["name"]
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


def reach_any_group(stack):
    policy = stack.one("aws_iam_role_policy", '"cluster-autoscaler"')
    document = json.loads(policy["policy"])
    document["Statement"] = [
        {key: value for key, value in found.items() if key != "Condition"} for found in document["Statement"]
    ]
    policy["policy"] = json.dumps(document)


@rule(reach_any_group)
def autoscaler_scales_this_cluster_only(stack):
    for statement in statements(stack.one("aws_iam_role_policy", '"cluster-autoscaler"')["policy"]):
        if "autoscaling:SetDesiredCapacity" in listed(statement["Action"]):
            tag = {"aws:ResourceTag/k8s.io/cluster-autoscaler/birthday-production": "owned"}
            assert statement["Condition"] == {"StringEquals": tag}
            return
    raise AssertionError("the autoscaler cannot scale")


@rule(
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


def allow_the_service(stack):
    policy = stack.one("aws_iam_role_policy", '"birthday-api"')
    policy["policy"] = policy["policy"].replace("Deny", "Allow")


@rule(allow_the_service)
def the_service_calls_no_aws_api(stack):
    [statement] = statements(stack.one("aws_iam_role_policy", '"birthday-api"')["policy"])
    assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Deny", "*", "*")
