# The objectives of objectives.yaml, measured at the load balancer: for each, alarms on the burn rate of every
# window, and one alarm per severity that fires when a long window and its short one agree.

locals {
  promise    = yamldecode(file("${path.module}/objectives.yaml"))
  objectives = local.promise.objectives
  seconds    = { m = 60, h = 3600, d = 86400 }

  # The metrics, and the expression that turns them into a burn rate.
  indicators = {
    # `refused` counts errors of the load balancer itself. Without a healthy target it does not count their requests, so they
    # are added to the requests; if it did count them, the divisor has them twice, which matters only when nearly everything
    # fails anyway. CloudWatch publishes no zero counts: a missing count is 0, and without requests no budget is burnt.
    availability = {
      why     = "Requests end in a 5xx so fast that the error budget of 30 days does not last"
      runbook = "birthday-api-errors"
      metrics = {
        requests = { name = "RequestCount", dimensions = local.target_group, stat = "Sum" }
        failed   = { name = "HTTPCode_Target_5XX_Count", dimensions = local.target_group, stat = "Sum" }
        refused  = { name = "HTTPCode_ELB_5XX_Count", dimensions = local.load_balancer, stat = "Sum" }
      }
      expression = "IF(FILL(requests, 0) + FILL(refused, 0) > 0, (FILL(failed, 0) + FILL(refused, 0)) / (FILL(requests, 0) + FILL(refused, 0)) / ${local.objectives.availability.budget}, 0)"
    }
    # The percentile rank is the percentage of requests that were fast enough. Without requests it is missing.
    latency = {
      why     = "Requests take longer than ${1000 * local.objectives.latency.seconds.load_balancer} ms at the load balancer so often that the budget of 30 days does not last"
      runbook = "birthday-api-slow"
      metrics = {
        fast = { name = "TargetResponseTime", dimensions = local.target_group, stat = "PR(:${local.objectives.latency.seconds.load_balancer})" }
      }
      expression = "(100 - fast) / 100 / ${local.objectives.latency.budget}"
    }
  }

  windows = merge([
    for objective, indicator in local.indicators : merge([
      for burn in local.promise.burn_rates : {
        for length in ["long", "short"] : "${objective}-${burn.long}${length == "long" ? "" : "-short"}" => {
          objective = objective
          window    = burn[length]
          period    = tonumber(trimsuffix(burn[length], substr(burn[length], -1, 1))) * local.seconds[substr(burn[length], -1, 1)]
          rate      = burn.rate
        }
      }
    ]...)
  ]...)

  severities = {
    for pair in setproduct(keys(local.indicators), distinct(local.promise.burn_rates[*].severity)) : join("-", pair) => {
      objective = pair[0]
      burns     = [for burn in local.promise.burn_rates : burn if burn.severity == pair[1]]
      urgency   = { critical = "Somebody should look now", warning = "Somebody should look within the day" }[pair[1]]
    }
  }
}

# These alarms send no notification: one window alone says too little.
resource "aws_cloudwatch_metric_alarm" "burn_rate" {
  for_each = local.windows

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "Over ${each.value.window} the budget of ${each.value.objective} is used up more than ${each.value.rate} times as fast as it may be. ${var.runbooks_url}/${local.indicators[each.value.objective].runbook}.md"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.rate
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "burn_rate"
    label       = "burn rate of ${each.value.objective} over ${each.value.window}"
    expression  = local.indicators[each.value.objective].expression
    return_data = true
  }

  dynamic "metric_query" {
    for_each = local.indicators[each.value.objective].metrics

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value.name
        dimensions  = metric_query.value.dimensions
        stat        = metric_query.value.stat
        period      = each.value.period
      }
    }
  }
}

resource "aws_cloudwatch_composite_alarm" "objective" {
  for_each = local.severities

  alarm_name        = "${var.name}-${each.key}"
  alarm_description = "${local.indicators[each.value.objective].why}. ${each.value.urgency}. ${var.runbooks_url}/${local.indicators[each.value.objective].runbook}.md"
  alarm_actions     = [aws_sns_topic.alarms.arn]
  ok_actions        = [aws_sns_topic.alarms.arn]

  alarm_rule = join(" OR ", [
    for burn in each.value.burns : format(
      "(ALARM(\"%s\") AND ALARM(\"%s\"))",
      aws_cloudwatch_metric_alarm.burn_rate["${each.value.objective}-${burn.long}"].alarm_name,
      aws_cloudwatch_metric_alarm.burn_rate["${each.value.objective}-${burn.long}-short"].alarm_name,
    )
  ])
}
