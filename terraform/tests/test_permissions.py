"""Permissions, evaluated by IAM's rules: GitHub's roles, and the permissions boundary of an environment's roles."""

import json

import pytest

from permissions import ACCOUNT, ask, policies_of, request, role
from rules.logs import LOG_GROUPS
from stack import statements

EVERYTHING = [{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]


def arn(service, rest):
    return f"arn:aws:{service}:eu-west-1:{ACCOUNT}:{rest}"


def secret(name):
    return arn("secretsmanager", f"secret:birthday-{name}-AbCdEf")


def records(kind, *names):
    return {"route53__ChangeResourceRecordSetsNormalizedRecordNames": list(names), "route53__ChangeResourceRecordSetsRecordTypes": [kind]}


KEY, STATE, LOCK = arn("kms", "key/11111111-2222-3333-4444-555555555555"), "arn:aws:s3:::birthday-terraform-state-111111111111", arn("dynamodb", "table/birthday-terraform-lock")
STATE_KEY, ZONE = "the state's key", "the zone"
SNAPSHOT = "arn:aws:ec2:eu-west-1::snapshot/snap-1"
OWN, OTHER = {"aws__ResourceTag_Environment": "staging"}, {"aws__ResourceTag_Environment": "production"}
IAM = f"arn:aws:iam::{ACCOUNT}"
BOUNDARY = {"iam__PermissionsBoundary": f"{IAM}:policy/birthday-boundary-staging"}
OPERATOR = arn("eks", f"access-entry/birthday-staging/role/{ACCOUNT}/birthday-operator/1")

# role -> (action, resource, context) that IAM allows it, and that IAM denies it.
MAY = {
    "apply-staging": [
        ("rds:CreateDBInstance", arn("rds", "db:birthday-staging"), {}),
        ("rds:CreateDBInstance", arn("rds", "og:default:postgres-18"), {}),
        ("rds:CreateDBInstanceReadReplica", arn("rds", "og:default:postgres-18"), {}),
        ("cloudwatch:PutMetricAlarm", arn("cloudwatch", "alarm:birthday-staging-node-cpu"), {}),
        ("eks:CreateCluster", "*", {"eks__bootstrapClusterCreatorAdminPermissions": "false"}),
        ("eks:CreateNodegroup", arn("eks", "cluster/birthday-staging"), {}),
        ("eks:UpdateNodegroupVersion", arn("eks", "nodegroup/birthday-staging/eu-west-1a-2026/1"), {}),
        ("eks:CreateAccessEntry", arn("eks", "cluster/birthday-staging"), {"eks__principalArn": role("birthday-operator")}),
        ("eks:AssociateAccessPolicy", OPERATOR, {}),
        ("iam:CreateRole", role("birthday-staging-node"), BOUNDARY),
        ("iam:PassRole", role("birthday-staging-node"), {"iam__PassedToService": "eks.amazonaws.com"}),
        ("secretsmanager:GetSecretValue", secret("staging/database/master"), {}),
        ("kms:CreateKey", "*", {"aws__RequestTag_Environment": "staging"}),
        ("kms:ScheduleKeyDeletion", KEY, OWN),
        ("ec2:CreateSubnetCidrReservation", arn("ec2", "subnet/subnet-1"), OWN),
        ("s3:PutObject", f"{STATE}/staging/terraform.tfstate", {}),
        ("dynamodb:PutItem", LOCK, {"dynamodb__LeadingKeys": [f"{STATE.rsplit(':', 1)[1]}/staging/terraform.tfstate"]}),
        ("elasticloadbalancing:CreateLoadBalancer", arn("elasticloadbalancing", "loadbalancer/app/birthday-staging/1"), {}),
        ("wafv2:AssociateWebACL", arn("wafv2", "regional/webacl/birthday-staging/1"), {}),
        ("sns:Subscribe", arn("sns", "birthday-staging-alarms"), {}),
        ("route53:ChangeResourceRecordSets", ZONE, records("A", "staging.birthday.example.com")),
        ("route53:ChangeResourceRecordSets", ZONE, records("CNAME", "_x.staging.birthday.example.com")),
        ("kms:Decrypt", STATE_KEY, {}),
        ("kms:GenerateDataKey", STATE_KEY, {}),
        # As CloudWatch Logs asks for an action on a whole group.
        *(("logs:PutRetentionPolicy", arn("logs", f"log-group:{group.format(name='birthday-staging')}:log-stream:"), {}) for group in sorted(LOG_GROUPS)),
    ],
    "apply-production": [
        ("route53:ChangeResourceRecordSets", ZONE, records("A", "birthday.example.com")),
        ("route53:ChangeResourceRecordSets", ZONE, records("CNAME", "_x.birthday.example.com")),
    ],
    "push": [("ecr:PutImage", arn("ecr", "repository/birthday-api"), {}), ("ecr:GetAuthorizationToken", "*", {})],
    "plan": [
        ("s3:GetObject", f"{STATE}/production/terraform.tfstate", {}),
        ("dynamodb:GetItem", LOCK, {}),
        ("kms:Decrypt", STATE_KEY, {}),
        ("rds:DescribeDBInstances", arn("rds", "db:birthday-staging"), {}),
        # What data sources and the ephemeral password ask for; `-refresh=false` reads nothing else.
        ("sts:GetCallerIdentity", "*", {}),
        ("route53:ListHostedZones", "*", {}),
        ("route53:GetHostedZone", ZONE, {}),
        ("route53:ListTagsForResource", ZONE, {}),
        ("ecr:DescribeRepositories", arn("ecr", "repository/birthday-api"), {}),
        ("ecr:ListTagsForResource", arn("ecr", "repository/birthday-api"), {}),
        ("secretsmanager:GetRandomPassword", "*", {}),
    ],
}  # fmt: skip
MAY_NOT = {
    "apply-staging": [
        ("secretsmanager:GetSecretValue", secret("staging/database/application"), {}),
        ("secretsmanager:GetSecretValue", secret("production/database/master"), {}),
        ("secretsmanager:DeleteSecret", secret("production/database/master"), {}),
        ("rds:DeleteDBInstance", arn("rds", "db:birthday-production"), {}),
        ("kms:ScheduleKeyDeletion", KEY, OTHER),
        ("kms:TagResource", KEY, OTHER | {"aws__RequestTag_Environment": "staging"}),
        ("kms:Decrypt", KEY, OTHER),
        ("kms:TagResource", STATE_KEY, {"aws__RequestTag_Environment": "staging"}),
        ("kms:PutKeyPolicy", STATE_KEY, {}),
        ("kms:ScheduleKeyDeletion", STATE_KEY, {}),
        ("ec2:DeleteVpc", arn("ec2", "vpc/vpc-1"), OTHER),
        ("ec2:CreateTags", arn("ec2", "vpc/vpc-1"), OTHER),
        ("ec2:CreateSnapshot", SNAPSHOT, {}),
        ("ec2:ModifySnapshotAttribute", SNAPSHOT, OWN),
        ("elasticloadbalancing:DeleteLoadBalancer", arn("elasticloadbalancing", "loadbalancer/app/birthday-production/1"), OTHER),
        ("route53:ChangeResourceRecordSets", ZONE, records("A", "birthday.example.com")),
        ("route53:ChangeResourceRecordSets", ZONE, records("CNAME", "_x.birthday.example.com")),
        ("route53:ChangeResourceRecordSets", ZONE, records("A", "staging.birthday.example.com", "birthday.example.com")),
        ("route53:ChangeResourceRecordSets", ZONE, {}),
        # Kubernetes stores the secrets, too.
        ("eks:CreateAccessEntry", arn("eks", "cluster/birthday-staging"), {"eks__principalArn": role("birthday-ci-apply-staging")}),
        ("eks:AssociateAccessPolicy", arn("eks", f"access-entry/birthday-staging/role/{ACCOUNT}/birthday-ci-apply-staging/1"), {}),
        ("eks:CreateCluster", "*", {"eks__bootstrapClusterCreatorAdminPermissions": "true"}),
        ("eks:CreatePodIdentityAssociation", arn("eks", "cluster/birthday-staging"), {}),
        ("eks:AccessKubernetesApi", arn("eks", "cluster/birthday-staging"), {}),
        ("eks:DeleteCluster", arn("eks", "cluster/birthday-production"), {}),
        # Nor may it widen anyone's permissions.
        ("iam:CreateRole", role("birthday-staging-node"), {}),
        ("iam:CreateRole", role("birthday-staging-node"), {"iam__PermissionsBoundary": f"{IAM}:policy/birthday-boundary-production"}),
        ("iam:DeleteRolePermissionsBoundary", role("birthday-staging-node"), {}),
        ("iam:PutRolePolicy", role("birthday-ci-apply-staging"), BOUNDARY),
        ("iam:UpdateAssumeRolePolicy", role("birthday-operator"), {}),
        ("iam:UpdateAssumeRolePolicy", role("birthday-production-node"), {}),
        ("iam:PassRole", role("birthday-production-rotation"), {"iam__PassedToService": "lambda.amazonaws.com"}),
        ("iam:CreatePolicyVersion", f"{IAM}:policy/birthday-boundary-staging", {}),
        ("iam:DeleteOpenIDConnectProvider", f"{IAM}:oidc-provider/token.actions.githubusercontent.com", {}),
        ("sts:AssumeRole", role("birthday-operator"), {}),
        ("s3:PutObject", f"{STATE}/production/terraform.tfstate", {}),
        ("s3:DeleteBucket", STATE, {}),
        ("dynamodb:DeleteItem", LOCK, {"dynamodb__LeadingKeys": [f"{STATE.rsplit(':', 1)[1]}/production/terraform.tfstate"]}),
    ],
    "apply-production": [
        ("route53:ChangeResourceRecordSets", ZONE, records("A", "staging.birthday.example.com")),
        ("route53:ChangeResourceRecordSets", ZONE, records("CAA", "birthday.example.com")),
    ],
    "push": [("ecr:PutImage", arn("ecr", "repository/other"), {}), ("ecr:BatchDeleteImage", arn("ecr", "repository/birthday-api"), {}), ("ecr:PutImageTagMutability", arn("ecr", "repository/birthday-api"), {})],
    "plan": [
        ("secretsmanager:GetSecretValue", secret("staging/database/master"), {}),
        ("secretsmanager:BatchGetSecretValue", "*", {}),
        ("ssm:GetParameter", arn("ssm", "parameter/any"), {}),
        ("s3:GetObject", "arn:aws:s3:::another-bucket/object", {}),
        ("s3:PutObject", f"{STATE}/production/terraform.tfstate", {}),
        ("dynamodb:Scan", arn("dynamodb", "table/other"), {}),
        ("dynamodb:PartiQLSelect", arn("dynamodb", "table/other"), {}),
        ("ecr:GetDownloadUrlForLayer", arn("ecr", "repository/birthday-api"), {}),
        ("logs:GetLogEvents", arn("logs", "log-group:/birthday/birthday-staging/application:log-stream:x"), {}),
        ("logs:StartLiveTail", arn("logs", "log-group:/birthday/birthday-staging/application"), {}),
        ("logs:GetQueryResults", arn("logs", "log-group:/birthday/birthday-staging/application"), {}),
        ("rds:DownloadDBLogFilePortion", arn("rds", "db:birthday-staging"), {}),
        ("pi:GetDimensionKeyDetails", arn("pi", "metrics/rds/db-A"), {}),
        ("xray:BatchGetTraces", "*", {}),
        ("wafv2:GetSampledRequests", arn("wafv2", "regional/webacl/birthday-staging/1"), {}),
        ("ec2:GetConsoleOutput", arn("ec2", "instance/i-1"), {}),
        ("ssm:GetCommandInvocation", "*", {}),
    ],
    # A role of staging whose own policy allows everything, limited by the boundary. test_environments.py says what that must allow.
    "any": [
        ("secretsmanager:GetSecretValue", secret("production/database/application"), {}),
        ("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:another-service-AbCdEf"), {}),
        ("secretsmanager:GetSecretValue", secret("staging/database/application").replace("eu-west-1", "us-east-1"), {"aws__RequestedRegion": "us-east-1"}),
        ("ec2:CreateVolume", arn("ec2", "volume/*").replace("eu-west-1", "us-east-1"), {"aws__RequestedRegion": "us-east-1"}),
        ("kms:Decrypt", KEY, {"kms__EncryptionContext__SecretARN": secret("production/database/application")}),
        ("kms:Decrypt", KEY, {}),
        ("kms:CreateGrant", KEY, {}),
        ("ec2:RunInstances", arn("ec2", "instance/*"), {}),
        ("ec2:CreateSnapshot", SNAPSHOT, {}),
        ("ec2:GetPasswordData", arn("ec2", "instance/i-1"), {}),
        ("eks:CreateAccessEntry", arn("eks", "cluster/birthday-staging"), {}),
        ("iam:CreateRole", role("birthday-staging-more"), BOUNDARY),
        ("iam:PassRole", role("birthday-staging-node"), {}),
        ("sts:AssumeRole", role("birthday-operator"), {}),
        ("s3:GetObject", f"{STATE}/staging/terraform.tfstate", {}),
        ("logs:GetLogEvents", arn("logs", "log-group:/birthday/birthday-staging/application:log-stream:x"), {}),
        ("rds:DeleteDBInstance", arn("rds", "db:birthday-staging"), {}),
    ],
}  # fmt: skip

def decided(made, name, cases):
    """(case, decision) for each case."""
    if name == "any":
        principal, policies, boundary = role("birthday-staging-any"), EVERYTHING, json.loads(made.one("aws_iam_policy", 'boundary["staging"]')["policy"])
    else:
        principal, policies, boundary = role(f"birthday-ci-{name}"), policies_of(made, f"birthday-ci-{name}"), None
    known = {STATE_KEY: made.one("aws_kms_key", "state")["arn"], ZONE: made.one("aws_route53_zone")["arn"]}
    # AWS compares the tags that a resource has: those of bootstrap's are known here.
    tagged = [found["values"] for found in made.resources if found["values"].get("tags_all")]
    tags = {values["arn"]: {f"aws__ResourceTag_{tag}": value for tag, value in values["tags_all"].items()} for values in tagged}
    named = [(action, known.get(resource, resource), context) for action, resource, context in cases]
    asked = [request(action, resource, policies, principal, boundary, **tags.get(resource, {}) | context) for action, resource, context in named]
    return list(zip(cases, ask(asked), strict=True))


@pytest.mark.parametrize("name", MAY)
def test_a_role_may_do_its_work(made, name):
    assert [case for case in decided(made, name, MAY[name]) if case[1] != "Allowed"] == []


@pytest.mark.parametrize("name", MAY_NOT)
def test_a_role_may_do_nothing_else(made, name):
    assert [case for case in decided(made, name, MAY_NOT[name]) if not case[1].endswith("Denied")] == []


def test_policies_are_as_long_as_iam_takes(made):
    """Without spaces: 6,144 characters per managed policy, 10,240 for a role's inline policies together. At most ten per role."""
    inside = {}
    for policy in made.all("aws_iam_policy"):
        assert len(json.dumps(json.loads(policy["policy"]), separators=(",", ":"))) <= 6144, policy["name"]
    for policy in made.all("aws_iam_role_policy"):
        inside[policy["role"]] = inside.get(policy["role"], 0) + len(policy["policy"])
    assert max(inside.values()) <= 10240


@pytest.mark.parametrize("action", ["cloudwatch:PutCompositeAlarm", "sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe"])
def test_a_call_that_names_no_resource_is_for_everything(made, action):
    """AWS's list says otherwise, but CloudWatch rejects a resource for PutCompositeAlarm; for subscriptions it is optional."""
    for environment in ("staging", "production"):
        found = [s for part in ("named", "unnamed") for s in statements(made.one("aws_iam_policy", f'apply["{environment}-{part}"]')["policy"])]
        assert any(action in s["Action"] and s["Resource"] == "*" for s in found)
