# Alarms on the log, for what no other metric shows. Fluent Bit puts a JSON line under `data`, any other line under
# `log` (gitops/apps/templates/fluent-bit.yaml). Without a match nothing is published: no metric, no cost, no alarm.

locals {
  log_metrics = {
    # The service's log levels: WARN resolves by itself or is counted in /metrics, ERROR is a defect.
    LogLines = {
      pattern    = "{ ($.kubernetes.container_name = \"birthday-api\") && (($.data.level = \"WARN\") || ($.data.level = \"ERROR\")) }"
      dimensions = { level = "$.data.level" }
    }
    LoginsRefused = {
      pattern    = "{ ($.kubernetes.container_name = \"birthday-api\") && ($.data.message = \"login refused: *\") }"
      dimensions = {}
    }
    # A migration that fails writes its last line as plain text.
    MigrationsFailed = {
      pattern    = "{ ($.kubernetes.container_name = \"migrate\") && ($.log = \"birthday-api: *\") }"
      dimensions = {}
    }
  }

  log_alarms = {
    log-errors = {
      why       = "The service logged an error: a panic, or a schema that cannot be brought up to date", runbook = "service-log-errors"
      namespace = var.name, metric = "LogLines", dimensions = { level = "ERROR" }
      statistic = "Sum", threshold = 0, compare = ">", minutes = 5, missing = "notBreaching"
    }
    logins-refused = {
      why       = "The database does not take the service's user or password", runbook = "database-login-refused"
      namespace = var.name, metric = "LoginsRefused", dimensions = {}
      statistic = "Sum", threshold = 0, compare = ">", minutes = 5, missing = "notBreaching"
    }
    migrations-failed = {
      why       = "The migration failed, and nothing of the new version is applied", runbook = "birthday-api-migration-failed"
      namespace = var.name, metric = "MigrationsFailed", dimensions = {}
      statistic = "Sum", threshold = 0, compare = ">", minutes = 5, missing = "notBreaching"
    }
  }
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each = local.log_metrics

  name           = "${var.name}-${each.key}"
  log_group_name = aws_cloudwatch_log_group.application.name
  pattern        = each.value.pattern

  metric_transformation {
    namespace  = var.name
    name       = each.key
    value      = "1"
    unit       = "Count"
    dimensions = each.value.dimensions
  }
}
