# One page: what users get, then what carries it.

locals {
  # Rows from top to bottom, three drawings each: title, metrics, statistic.
  drawings = [
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
    { title = "Pods of the service", stat = "Minimum", metrics = [
      ["ContainerInsights", "service_number_of_running_pods", "ClusterName", var.name, "Namespace", "birthday-api", "Service", "birthday-api"],
    ] },
    { title = "Pods: CPU and memory, % of limit", stat = "Average", metrics = [
      ["ContainerInsights", "pod_cpu_utilization_over_pod_limit", "ClusterName", var.name, "Namespace", "birthday-api", "Service", "birthday-api"],
      [".", "pod_memory_utilization_over_pod_limit", ".", ".", ".", ".", ".", "."],
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
      [for instance in slice(var.database.instances, 1, length(var.database.instances)) : ["AWS/RDS", "ReplicaLag", "DBInstanceIdentifier", instance]],
    ) },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [for index, drawing in local.drawings : {
      type       = "metric"
      x          = 8 * (index % 3)
      y          = 6 * floor(index / 3)
      width      = 8
      height     = 6
      properties = { title = drawing.title, region = local.region, stat = drawing.stat, period = 60, view = "timeSeries", metrics = drawing.metrics }
    }]
  })
}
