"""Encryption, logs, alarms and the dashboard."""

import json

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


ALARMS = {
    ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count"),
    ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count"),
    ("AWS/ApplicationELB", "TargetResponseTime"),
    ("AWS/ApplicationELB", "HealthyHostCount"),
    ("AWS/ApplicationELB", "UnHealthyHostCount"),
    ("AWS/RDS", "CPUUtilization"),
    ("AWS/RDS", "FreeStorageSpace"),
    ("AWS/RDS", "DatabaseConnections"),
    ("AWS/RDS", "ReplicaLag"),
    ("AWS/RDS", "FreeableMemory"),
    ("AWS/Route53", "HealthCheckStatus"),
    ("AWS/Lambda", "Errors"),
    ("AWS/CertificateManager", "DaysToExpiry"),
    ("AWS/WAFV2", "BlockedRequests"),
    ("ContainerInsights", "cluster_failed_node_count"),
    ("ContainerInsights", "cluster_node_count"),
    ("ContainerInsights", "node_cpu_utilization"),
    ("ContainerInsights", "node_memory_utilization"),
    ("ContainerInsights", "node_filesystem_utilization"),
    ("ContainerInsights", "service_number_of_running_pods"),
    ("ContainerInsights", "pod_cpu_utilization_over_pod_limit"),
    ("ContainerInsights", "pod_memory_utilization_over_pod_limit"),
}


@rule(
    remove("aws_cloudwatch_metric_alarm", "database-replica-lag"),
    change("aws_cloudwatch_metric_alarm", "latency", alarm_actions=[]),
    change("aws_cloudwatch_metric_alarm", "latency", actions_enabled=False),
    change("aws_cloudwatch_metric_alarm", "pod-count", threshold=2),
)
def alarms(stack):
    found = stack.all("aws_cloudwatch_metric_alarm")
    assert {(alarm["namespace"], alarm["metric_name"]) for alarm in found} == ALARMS
    topics = {topic["arn"] for topic in stack.all("aws_sns_topic")}
    assert all(alarm["actions_enabled"] and alarm["alarm_actions"] for alarm in found)
    assert all(set(alarm["alarm_actions"]) <= topics for alarm in found)
    [pods] = [alarm for alarm in found if alarm["metric_name"] == "service_number_of_running_pods"]
    assert pods["threshold"] == 6, "two pods per zone"


@rule(change("aws_db_event_subscription", event_categories=["backup"]), planned=True)
def failover_events(stack):
    assert {"failover", "failure", "availability"} <= set(stack.one("aws_db_event_subscription")["event_categories"])


def drop_requests(stack):
    board = stack.one("aws_cloudwatch_dashboard")
    board["dashboard_body"] = board["dashboard_body"].replace("RequestCount", "Nothing")


@rule(drop_requests)
def dashboard(stack):
    body = stack.one("aws_cloudwatch_dashboard")["dashboard_body"]
    for metric in (
        "RequestCount", "HTTPCode_Target_5XX_Count", "TargetResponseTime", "CPUUtilization", "DatabaseConnections",
        "ReplicaLag", "FreeStorageSpace", "node_cpu_utilization", "pod_memory_utilization_over_pod_limit",
        "BlockedRequests",
    ):  # fmt: skip
        assert metric in body, metric
    assert len(json.loads(body)["widgets"]) == 9
