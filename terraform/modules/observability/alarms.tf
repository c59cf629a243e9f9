# Alarms on load balancer, cluster and pods. Every alarm is one entry of the
# table: reason, runbook, metric, threshold and duration (`times` in a row, if more than once).
# Alarms on the objectives are in objectives.tf.

locals {
  load_balancer = { LoadBalancer = var.load_balancer.arn_suffix }
  target_group  = merge(local.load_balancer, { TargetGroup = var.load_balancer.target_group_arn_suffix })
  cluster       = { ClusterName = var.name }
  service       = merge(local.cluster, { Namespace = "birthday-api", Service = "birthday-api" })
  workload      = merge(local.cluster, { Namespace = "birthday-api", PodName = "birthday-api-primary" })

  alarms = {
    # ACM renews a certificate 45 days before it expires, and publishes this metric twice a day.
    certificate = {
      why       = "The public certificate ends in less than 30 days and was not renewed", runbook = "certificate"
      namespace = "AWS/CertificateManager", metric = "DaysToExpiry", dimensions = { CertificateArn = var.load_balancer.certificate_arn }
      statistic = "Minimum", threshold = 30, compare = "<", minutes = 1440, missing = "missing"
    }
    unhealthy-targets = {
      why       = "A gateway pod does not pass the load balancer's health check", runbook = "unreachable-from-outside"
      namespace = "AWS/ApplicationELB", metric = "UnHealthyHostCount", dimensions = local.target_group
      statistic = "Maximum", threshold = 0, compare = ">", minutes = 5, missing = "notBreaching"
    }
    # Maximum: the most of the five minutes. Staging has two gateways, and one is away for a moment whenever a node is drained.
    healthy-targets = {
      why       = "Fewer than two healthy gateway pods", runbook = "unreachable-from-outside"
      namespace = "AWS/ApplicationELB", metric = "HealthyHostCount", dimensions = local.target_group
      statistic = "Maximum", threshold = 2, compare = "<", minutes = 5, missing = "breaching"
    }
    request-flood = {
      why       = "The web ACL's rate limit refuses requests", runbook = "request-flood"
      namespace = "AWS/WAFV2", metric = "BlockedRequests", dimensions = { WebACL = var.load_balancer.web_acl_name, Region = local.region, Rule = "rate-limit" }
      statistic = "Sum", threshold = 1000, compare = ">", minutes = 5, missing = "notBreaching"
    }
    # A silent kubelet counts, too: its node's conditions are then unknown. But the agent does not look at the condition Ready.
    failed-nodes = {
      why       = "A node lacks memory, disk or process numbers, or its kubelet is silent", runbook = "nodes"
      namespace = "ContainerInsights", metric = "cluster_failed_node_count", dimensions = local.cluster
      statistic = "Maximum", threshold = 0, compare = ">", minutes = 5, missing = "missing"
    }
    # Each agent reports its own node. Five minutes in a row, because a new node is not ready at first.
    unready-nodes = {
      why       = "A node is not ready", runbook = "nodes"
      namespace = "ContainerInsights", metric = "node_status_condition_ready", dimensions = local.cluster
      statistic = "Minimum", threshold = 1, compare = "<", minutes = 1, times = 5, missing = "missing"
    }
    node-count = {
      why       = "The cluster is as large as the autoscaler may make it", runbook = "nodes"
      namespace = "ContainerInsights", metric = "cluster_node_count", dimensions = local.cluster
      statistic = "Maximum", threshold = var.maximum_nodes, compare = ">=", minutes = 15, missing = "missing"
    }
    node-cpu = {
      why       = "Nodes run out of CPU", runbook = "nodes"
      namespace = "ContainerInsights", metric = "node_cpu_utilization", dimensions = local.cluster
      statistic = "Average", threshold = 85, compare = ">", minutes = 15, missing = "missing"
    }
    node-memory = {
      why       = "Nodes run out of memory", runbook = "nodes"
      namespace = "ContainerInsights", metric = "node_memory_utilization", dimensions = local.cluster
      statistic = "Average", threshold = 85, compare = ">", minutes = 15, missing = "missing"
    }
    node-disk = {
      why       = "A node's disk fills", runbook = "nodes"
      namespace = "ContainerInsights", metric = "node_filesystem_utilization", dimensions = local.cluster
      statistic = "Maximum", threshold = 85, compare = ">", minutes = 15, missing = "missing"
    }
    # Maximum: the most of the ten minutes. The agent counts ready pods, and each replaced pod is missing for a moment.
    pod-count = {
      why       = "Fewer pods of the service than it should have, or nothing is measured any more", runbook = "birthday-api-pods-missing"
      namespace = "ContainerInsights", metric = "service_number_of_running_pods", dimensions = local.service
      statistic = "Maximum", threshold = var.minimum_pods, compare = "<", minutes = 10, missing = "breaching"
    }
    # Every alert of Prometheus and of Argo CD passes through these two. The agent leaves out a Service without ready pods.
    prometheus = {
      why       = "Prometheus does not run: none of its alerts can fire", runbook = "platform-not-scraped"
      namespace = "ContainerInsights", metric = "service_number_of_running_pods", dimensions = merge(local.cluster, { Namespace = "monitoring", Service = "prometheus-prometheus" })
      statistic = "Maximum", threshold = 1, compare = "<", minutes = 5, times = 3, missing = "breaching"
    }
    alertmanager = {
      why       = "Alertmanager does not run: no alert of Prometheus or Argo CD reaches anyone", runbook = "platform-not-scraped"
      namespace = "ContainerInsights", metric = "service_number_of_running_pods", dimensions = merge(local.cluster, { Namespace = "monitoring", Service = "prometheus-alertmanager" })
      statistic = "Maximum", threshold = 1, compare = "<", minutes = 5, times = 3, missing = "breaching"
    }
    # Percent of the node: the service has no CPU limit. A process has one thread, half a node; the autoscaler acts long before.
    pod-cpu = {
      why       = "Pods of the service use a core each: the autoscaler is at its limit", runbook = "birthday-api-at-most-pods"
      namespace = "ContainerInsights", metric = "pod_cpu_utilization", dimensions = local.service
      statistic = "Average", threshold = 50, compare = ">", minutes = 15, missing = "notBreaching"
    }
    # Also shows pods over their memory limit: no metric shows usage against it, as only one of the two includes the sidecar.
    # Half an hour, because Kubernetes soon waits five minutes before each restart.
    pod-restarts = {
      why       = "Containers of the service restart again and again", runbook = "birthday-api-restarts"
      namespace = "ContainerInsights", metric = "pod_number_of_container_restarts", dimensions = local.workload
      statistic = "Sum", threshold = 2, compare = ">", minutes = 30, missing = "notBreaching"
    }
    rotation-errors = {
      why       = "The rotation of the database passwords fails", runbook = "rotation-by-hand"
      namespace = "AWS/Lambda", metric = "Errors", dimensions = { FunctionName = "${var.name}-rotation" }
      statistic = "Sum", threshold = 0, compare = ">", minutes = 60, missing = "notBreaching"
    }
  }

  operators = {
    ">"  = "GreaterThanThreshold"
    ">=" = "GreaterThanOrEqualToThreshold"
    "<"  = "LessThanThreshold"
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = merge(local.alarms, local.database_alarms, local.log_alarms)

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.why}. ${var.runbooks_url}/${each.value.runbook}.md"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = local.operators[each.value.compare]
  threshold           = each.value.threshold
  period              = 60 * each.value.minutes
  evaluation_periods  = try(each.value.times, 1)
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# Route 53 publishes its metrics in us-east-1 only.
resource "aws_cloudwatch_metric_alarm" "health_check" {
  provider = aws.us_east_1

  alarm_name          = "${var.name}-health-check"
  alarm_description   = "The service does not answer from outside. ${var.runbooks_url}/unreachable-from-outside.md"
  namespace           = "AWS/Route53"
  metric_name         = "HealthCheckStatus"
  dimensions          = { HealthCheckId = var.health_check_id }
  statistic           = "Minimum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 60
  evaluation_periods  = 3
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.global_alarms.arn]
  ok_actions          = [aws_sns_topic.global_alarms.arn]
}
