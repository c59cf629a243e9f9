"""Alarms, and the metrics counted for them."""

import re

from . import change, remove, rule

# Metrics with alarms: namespace -> metrics.
WATCHED = {
    "AWS/ApplicationELB": "RequestCount HTTPCode_ELB_5XX_Count HTTPCode_Target_5XX_Count TargetResponseTime HealthyHostCount UnHealthyHostCount",
    "AWS/RDS": "CPUUtilization FreeStorageSpace DatabaseConnections ReplicaLag FreeableMemory",
    "AWS/Route53": "HealthCheckStatus",
    "AWS/Lambda": "Errors",
    "AWS/CertificateManager": "DaysToExpiry",
    "AWS/WAFV2": "BlockedRequests",
    "ContainerInsights": "cluster_failed_node_count node_status_condition_ready cluster_node_count node_cpu_utilization node_memory_utilization node_filesystem_utilization service_number_of_running_pods pod_cpu_utilization pod_number_of_container_restarts",
}
LOG_METRICS = {"LogLines", "LoginsRefused", "MigrationsFailed"}


def metrics(alarm):
    """(namespace, metric) of everything that an alarm evaluates."""
    if alarm["metric_name"]:
        return {(alarm["namespace"], alarm["metric_name"])}
    return {(metric["namespace"], metric["metric_name"]) for query in alarm["metric_query"] for metric in query["metric"]}


def children(stack):
    """Names of the alarms that the objectives' composite alarms combine."""
    return {name for parent in stack.all("aws_cloudwatch_composite_alarm") for name in re.findall(r'ALARM\("([^"]+)"\)', parent["alarm_rule"])}


@rule(
    remove("aws_cloudwatch_metric_alarm", "database-replica-lag"),
    remove("aws_cloudwatch_metric_alarm", "logins-refused"),
    remove("aws_cloudwatch_metric_alarm", "prometheus"),
    remove("aws_cloudwatch_metric_alarm", "alertmanager"),
    change("aws_cloudwatch_metric_alarm", "request-flood", alarm_actions=[]),
    change("aws_cloudwatch_metric_alarm", "request-flood", actions_enabled=False),
    change("aws_cloudwatch_composite_alarm", "latency-critical", alarm_actions=[]),
    change("aws_cloudwatch_metric_alarm", "pod-count", threshold=2),
)
def alarms(stack):
    found = stack.all("aws_cloudwatch_metric_alarm")
    [name] = {cluster["name"] for cluster in stack.all("aws_eks_cluster")}
    watched = {(namespace, metric) for namespace, names in WATCHED.items() for metric in names.split()}
    assert {metric for alarm in found for metric in metrics(alarm)} == watched | {(name, metric) for metric in LOG_METRICS}
    topics = {topic["arn"] for topic in stack.all("aws_sns_topic")}
    ringing = stack.all("aws_cloudwatch_composite_alarm") + [alarm for alarm in found if alarm["alarm_name"] not in children(stack)]
    assert all(alarm["actions_enabled"] and alarm["alarm_actions"] for alarm in ringing)
    assert all(set(alarm["alarm_actions"]) <= topics for alarm in ringing)
    pods = {alarm["dimensions"]["Service"]: alarm["threshold"] for alarm in found if alarm["metric_name"] == "service_number_of_running_pods"}
    assert pods == {"birthday-api": 6, "prometheus-prometheus": 1, "prometheus-alertmanager": 1}, "two pods per zone, and what sends the alerts"


@rule(
    remove("aws_cloudwatch_log_metric_filter", "MigrationsFailed"),
    change("aws_cloudwatch_log_metric_filter", "LogLines", log_group_name="/aws/elsewhere"),
    planned=True,
)
def log_metrics(stack):
    """The application's log is counted. tests/observability checks that the patterns match its lines."""
    [name] = {cluster["name"] for cluster in stack.all("aws_eks_cluster")}
    filters = stack.all("aws_cloudwatch_log_metric_filter")
    assert {found["metric_transformation"][0]["name"] for found in filters} == LOG_METRICS
    assert {found["metric_transformation"][0]["namespace"] for found in filters} == {name}
    assert {found["log_group_name"] for found in filters} == {stack.one("aws_cloudwatch_log_group", "application")["name"]}


@rule(change("aws_db_event_subscription", event_categories=["backup"]), planned=True)
def failover_events(stack):
    assert {"failover", "failure", "availability"} <= set(stack.one("aws_db_event_subscription")["event_categories"])
