# One dashboard: the objectives, then what users get, then the infrastructure below.

locals {
  # The alarms' expressions, and the metrics that they use.
  burn_rates = concat(
    [for objective, indicator in local.indicators : [{ id = objective, expression = indicator.expression }]],
    concat([
      for indicator in local.indicators : [
        for id, metric in indicator.metrics :
        concat(["AWS/ApplicationELB", metric.name], flatten([for name, value in metric.dimensions : [name, value]]), [{ id = id, stat = metric.stat, visible = false }])
      ]
    ]...),
  )
  burn_marks = [for burn in local.promise.burn_rates : { value = burn.rate, label = "${burn.severity}, if over ${burn.long} and ${burn.short}" }]

  # Rows from top to bottom, three graphs each: title, metrics, statistic.
  drawings = [
    { title = "Budgets' burn rates over 5 minutes", stat = "Sum", period = 300, metrics = local.burn_rates, marks = local.burn_marks },
    { title = "Budgets' burn rates over an hour", stat = "Sum", period = 3600, metrics = local.burn_rates, marks = local.burn_marks },
    { title = "What the logs say", stat = "Sum", period = 300, metrics = [
      [var.name, "LogLines", "level", "ERROR"],
      [".", ".", ".", "WARN"],
      [".", "LoginsRefused"],
      [".", "MigrationsFailed"],
    ] },
    { title = "Requests and errors", stat = "Sum", metrics = [
      ["AWS/ApplicationELB", "RequestCount", "LoadBalancer", var.load_balancer.arn_suffix],
      [".", "HTTPCode_Target_5XX_Count", ".", "."],
      [".", "HTTPCode_Target_4XX_Count", ".", "."],
      [".", "HTTPCode_ELB_5XX_Count", ".", "."],
    ] },
    { title = "Latency in seconds, p99", stat = "p99", metrics = [
      ["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", var.load_balancer.arn_suffix],
    ] },
    { title = "Refused by the web ACL", stat = "Sum", metrics = [
      for rule in ["rate-limit", "AWSManagedRulesCommonRuleSet", "AWSManagedRulesSQLiRuleSet", "AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesAmazonIpReputationList"] :
      ["AWS/WAFV2", "BlockedRequests", "WebACL", var.load_balancer.web_acl_name, "Region", local.region, "Rule", rule]
    ] },
    { title = "Pods of the service, restarts", stat = "Minimum", metrics = [
      ["ContainerInsights", "service_number_of_running_pods", "ClusterName", var.name, "Namespace", "birthday-api", "Service", "birthday-api"],
      [".", "pod_number_of_container_restarts", ".", ".", ".", ".", "PodName", "birthday-api-primary", { stat = "Sum" }],
    ] },
    { title = "Pods: CPU and memory, % of their node", stat = "Average", metrics = [
      ["ContainerInsights", "pod_cpu_utilization", "ClusterName", var.name, "Namespace", "birthday-api", "Service", "birthday-api"],
      [".", "pod_memory_utilization", ".", ".", ".", ".", ".", "."],
    ] },
    { title = "Nodes: number, CPU and memory %", stat = "Average", metrics = [
      ["ContainerInsights", "cluster_node_count", "ClusterName", var.name],
      [".", "node_cpu_utilization", ".", "."],
      [".", "node_memory_utilization", ".", "."],
    ] },
    { title = "Database: CPU %", stat = "Average", metrics = [
      for instance in var.database.instances : ["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", instance]
    ] },
    { title = "Database: connections", stat = "Maximum", metrics = [
      for instance in var.database.instances : ["AWS/RDS", "DatabaseConnections", "DBInstanceIdentifier", instance]
    ] },
    { title = "Database: free storage, replica lag", stat = "Average", metrics = concat(
      [for instance in var.database.instances : ["AWS/RDS", "FreeStorageSpace", "DBInstanceIdentifier", instance]],
      [for instance in slice(var.database.instances, 1, length(var.database.instances)) : ["AWS/RDS", "ReplicaLag", "DBInstanceIdentifier", instance, { yAxis = "right" }]],
    ) },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [for index, drawing in local.drawings : {
      type   = "metric"
      x      = 8 * (index % 3)
      y      = 6 * floor(index / 3)
      width  = 8
      height = 6
      properties = {
        title       = drawing.title
        region      = local.region
        stat        = drawing.stat
        period      = try(drawing.period, 60)
        view        = "timeSeries"
        metrics     = drawing.metrics
        annotations = { horizontal = try(drawing.marks, []) }
      }
    }]
  })
}
