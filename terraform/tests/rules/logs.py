"""Encryption and logs."""

from . import change, remove, rule

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


@rule(
    remove("aws_cloudwatch_log_group", "application"),
    change("aws_cloudwatch_log_group", "waf", retention_in_days=0),
    planned=True,
)
def log_groups(stack):
    name = stack.one("aws_eks_cluster")["name"]
    groups = {group["name"] for group in stack.all("aws_cloudwatch_log_group")}
    assert {wanted.format(name=name) for wanted in LOG_GROUPS} <= groups
    assert all(group["retention_in_days"] > 0 for group in stack.all("aws_cloudwatch_log_group"))


@rule(change("aws_cloudwatch_log_group", "flow", kms_key_id=""))
def logs_are_encrypted(stack):
    assert all(group["kms_key_id"] for group in stack.all("aws_cloudwatch_log_group"))


@rule(
    change("aws_db_instance", "primary", storage_encrypted=False),
    change("aws_kms_key", enable_key_rotation=False),
    change("aws_launch_template", block_device_mappings__ebs__encrypted="false"),
    change("aws_eks_cluster", encryption_config__resources=[]),
    planned=True,
)
def data_is_encrypted(stack):
    assert all(instance["storage_encrypted"] for instance in stack.all("aws_db_instance"))
    assert all(key["enable_key_rotation"] for key in stack.all("aws_kms_key"))
    assert stack.one("aws_launch_template")["block_device_mappings"][0]["ebs"][0]["encrypted"] == "true"
    assert stack.one("aws_eks_cluster")["encryption_config"][0]["resources"] == ["secrets"]


@rule(change("aws_secretsmanager_secret", kms_key_id=""))
def secrets_are_encrypted(stack):
    assert len(stack.all("aws_secretsmanager_secret")) == 3
    assert all(secret["kms_key_id"] for secret in stack.all("aws_secretsmanager_secret"))


@rule(change("aws_eks_cluster", enabled_cluster_log_types=["api"]), planned=True)
def control_plane_logs(stack):
    wanted = {"api", "audit", "authenticator", "controllerManager", "scheduler"}
    assert set(stack.one("aws_eks_cluster")["enabled_cluster_log_types"]) == wanted


@rule(change("aws_db_instance", "primary", enabled_cloudwatch_logs_exports=[]), planned=True)
def database_logs(stack):
    for instance in stack.all("aws_db_instance"):
        assert set(instance["enabled_cloudwatch_logs_exports"]) == {"postgresql", "upgrade"}


@rule(change("aws_flow_log", traffic_type="REJECT"), planned=True)
def flow_logs(stack):
    assert stack.one("aws_flow_log")["traffic_type"] == "ALL"
