"""Encryption and logs."""

from . import change, edit, remove, rule
from stack import statements

LOG_GROUPS = {
    "/birthday/{name}/application",
    "/birthday/{name}/flow",
    "/aws/eks/{name}/cluster",
    "/aws/rds/instance/{name}/postgresql",
    "/aws/rds/instance/{name}/upgrade",
    "/aws/lambda/{name}-rotation",
    "/aws/containerinsights/{name}/performance",
    "/aws/containerinsights/{name}/dataplane",
    "/aws/containerinsights/{name}/host",
    "aws-waf-logs-{name}",
}


@rule(remove("aws_cloudwatch_log_group", "application"), change("aws_cloudwatch_log_group", "waf", retention_in_days=0), planned=True)
def log_groups(stack):
    name = stack.one("aws_eks_cluster")["name"]
    groups = {group["name"] for group in stack.all("aws_cloudwatch_log_group")}
    assert {wanted.format(name=name) for wanted in LOG_GROUPS} <= groups
    assert all(group["retention_in_days"] > 0 for group in stack.all("aws_cloudwatch_log_group"))


# What checkov does not check; it covers the rest of encryption and logs (tests/test_static.py says with which checks).
@rule(change("aws_launch_template", block_device_mappings__ebs__encrypted="false"), planned=True)
def disks_of_nodes_are_encrypted(stack):
    assert stack.one("aws_launch_template")["block_device_mappings"][0]["ebs"][0]["encrypted"] == "true"


@rule(
    change("aws_flow_log", traffic_type="REJECT"),
    edit("aws_iam_role_policy", "aws_iam_role_policy.flow", policy=("logs:DescribeLogGroups", "logs:DescribeLogStreams")),
)
def flow_logs(stack):
    assert stack.one("aws_flow_log")["traffic_type"] == "ALL"
    [statement] = statements(stack.one("aws_iam_role_policy", "aws_iam_role_policy.flow")["policy"])
    assert {"logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:PutLogEvents"} == set(statement["Action"])
