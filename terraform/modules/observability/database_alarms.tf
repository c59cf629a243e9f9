# Alarms on the database: a set per instance, replica lag, and RDS's own events.

locals {
  gib = 1024 * 1024 * 1024

  database_alarms = merge(
    merge([
      for index, instance in var.database.instances : {
        "database-cpu${index == 0 ? "" : "-replica"}" = {
          why       = "CPU of ${instance}", runbook = "database-instance"
          namespace = "AWS/RDS", metric = "CPUUtilization", dimensions = { DBInstanceIdentifier = instance }
          statistic = "Average", threshold = 80, compare = ">", minutes = 10, missing = "missing"
        }
        # RDS grows the storage when 10 % have been free for five minutes, so it fires only where that did not help.
        "database-storage${index == 0 ? "" : "-replica"}" = {
          why       = "Less than a twentieth of the storage of ${instance} is free, and it did not grow", runbook = "database-instance"
          namespace = "AWS/RDS", metric = "FreeStorageSpace", dimensions = { DBInstanceIdentifier = instance }
          statistic = "Minimum", threshold = var.database.allocated_storage_gib * local.gib / 20, compare = "<", minutes = 10, missing = "missing"
        }
        "database-connections${index == 0 ? "" : "-replica"}" = {
          why       = "${instance} comes near max_connections", runbook = "database-instance"
          namespace = "AWS/RDS", metric = "DatabaseConnections", dimensions = { DBInstanceIdentifier = instance }
          statistic = "Maximum", threshold = floor(var.database.max_connections * 0.8), compare = ">", minutes = 5, missing = "missing"
        }
        "database-memory${index == 0 ? "" : "-replica"}" = {
          why       = "Less than 256 MiB of memory of ${instance} is free", runbook = "database-instance"
          namespace = "AWS/RDS", metric = "FreeableMemory", dimensions = { DBInstanceIdentifier = instance }
          statistic = "Minimum", threshold = local.gib / 4, compare = "<", minutes = 10, missing = "missing"
        }
      }
    ]...),
    {
      # The lag is the age of the last replayed transaction. While no one saves, it rises to five minutes, when PostgreSQL begins a new segment of its log.
      for instance in slice(var.database.instances, 1, length(var.database.instances)) : "database-replica-lag" => {
        why       = "The replica is more than six minutes behind, or reports nothing", runbook = "database-instance"
        namespace = "AWS/RDS", metric = "ReplicaLag", dimensions = { DBInstanceIdentifier = instance }
        statistic = "Maximum", threshold = 360, compare = ">", minutes = 5, missing = "breaching"
      }
    },
  )
}

resource "aws_db_event_subscription" "this" {
  name             = "${var.name}-database"
  sns_topic        = aws_sns_topic.alarms.arn
  source_type      = "db-instance"
  source_ids       = var.database.instances
  event_categories = ["availability", "failover", "failure", "low storage", "maintenance", "recovery", "read replica"]

  depends_on = [aws_sns_topic_policy.alarms]
}
