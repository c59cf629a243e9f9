# What rings for load balancer, cluster and service. Every alarm is one line of
# the table: what is measured, over how long, and from which value on.

locals {
  load_balancer = { LoadBalancer = var.load_balancer.arn_suffix }
  target_group  = merge(local.load_balancer, { TargetGroup = var.load_balancer.target_group_arn_suffix })
  cluster       = { ClusterName = var.name }
  service       = merge(local.cluster, { Namespace = "birthday-api", Service = "birthday-api" })

  alarms = {
    load-balancer-errors = {
      why       = "The load balancer answers 5xx by itself: no healthy target, or targets that close connections"
      namespace = "AWS/ApplicationELB", metric = "HTTPCode_ELB_5XX_Count", dimensions = local.load_balancer
      statistic = "Sum", threshold = 10, compare = ">", minutes = 5, missing = "notBreaching"
    }
    service-errors = {
      why       = "The service answers 5xx"
      namespace = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count", dimensions = local.target_group
      statistic = "Sum", threshold = 10, compare = ">", minutes = 5, missing = "notBreaching"
    }
    latency = {
      why       = "One request in a hundred takes longer than half a second"
      namespace = "AWS/ApplicationELB", metric = "TargetResponseTime", dimensions = local.target_group
      statistic = "p99", threshold = 0.5, compare = ">", minutes = 5, missing = "notBreaching"
    }
    # ACM renews 60 days before the end, and publishes the days twice a day.
    certificate = {
      why       = "The public certificate ends in less than 45 days and was not renewed"
      namespace = "AWS/CertificateManager", metric = "DaysToExpiry", dimensions = { CertificateArn = var.load_balancer.certificate_arn }
      statistic = "Minimum", threshold = 45, compare = "<", minutes = 1440, missing = "missing"
    }
    unhealthy-targets = {
      why       = "A gateway pod does not pass the load balancer's health check"
      namespace = "AWS/ApplicationELB", metric = "UnHealthyHostCount", dimensions = local.target_group
      statistic = "Maximum", threshold = 0, compare = ">", minutes = 5, missing = "notBreaching"
    }
    healthy-targets = {
      why       = "Fewer than two healthy gateway pods"
      namespace = "AWS/ApplicationELB", metric = "HealthyHostCount", dimensions = local.target_group
      statistic = "Minimum", threshold = 2, compare = "<", minutes = 5, missing = "breaching"
    }
    request-flood = {
      why       = "The web ACL's rate limit refuses requests"
      namespace = "AWS/WAFV2", metric = "BlockedRequests", dimensions = { WebACL = var.load_balancer.web_acl_name, Region = local.region, Rule = "rate-limit" }
      statistic = "Sum", threshold = 1000, compare = ">", minutes = 5, missing = "notBreaching"
    }
    failed-nodes = {
      why       = "A node is not ready"
      namespace = "ContainerInsights", metric = "cluster_failed_node_count", dimensions = local.cluster
      statistic = "Maximum", threshold = 0, compare = ">", minutes = 5, missing = "missing"
    }
    node-count = {
      why       = "The cluster is as large as the autoscaler may make it"
      namespace = "ContainerInsights", metric = "cluster_node_count", dimensions = local.cluster
      statistic = "Maximum", threshold = var.maximum_nodes, compare = ">=", minutes = 15, missing = "missing"
    }
    node-cpu = {
      why       = "Nodes run out of CPU"
      namespace = "ContainerInsights", metric = "node_cpu_utilization", dimensions = local.cluster
      statistic = "Average", threshold = 85, compare = ">", minutes = 15, missing = "missing"
    }
    node-memory = {
      why       = "Nodes run out of memory"
      namespace = "ContainerInsights", metric = "node_memory_utilization", dimensions = local.cluster
      statistic = "Average", threshold = 85, compare = ">", minutes = 15, missing = "missing"
    }
    node-disk = {
      why       = "A node's disk fills"
      namespace = "ContainerInsights", metric = "node_filesystem_utilization", dimensions = local.cluster
      statistic = "Maximum", threshold = 85, compare = ">", minutes = 15, missing = "missing"
    }
    pod-count = {
      why       = "Fewer pods of the service than it should have, or nothing is measured any more"
      namespace = "ContainerInsights", metric = "service_number_of_running_pods", dimensions = local.service
      statistic = "Minimum", threshold = var.minimum_pods, compare = "<", minutes = 10, missing = "breaching"
    }
    pod-cpu = {
      why       = "Pods of the service use up their CPU limit"
      namespace = "ContainerInsights", metric = "pod_cpu_utilization_over_pod_limit", dimensions = local.service
      statistic = "Average", threshold = 90, compare = ">", minutes = 15, missing = "notBreaching"
    }
    pod-memory = {
      why       = "Pods of the service come near their memory limit"
      namespace = "ContainerInsights", metric = "pod_memory_utilization_over_pod_limit", dimensions = local.service
      statistic = "Maximum", threshold = 85, compare = ">", minutes = 15, missing = "notBreaching"
    }
    rotation-errors = {
      why       = "The rotation of the database passwords fails"
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
  for_each = merge(local.alarms, local.database_alarms)

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.why
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  comparison_operator = local.operators[each.value.compare]
  threshold           = each.value.threshold
  period              = 60 * each.value.minutes
  evaluation_periods  = 1
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# Route 53 publishes in us-east-1 only.
resource "aws_cloudwatch_metric_alarm" "health_check" {
  provider = aws.us_east_1

  alarm_name          = "${var.name}-health-check"
  alarm_description   = "The service does not answer from outside"
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
