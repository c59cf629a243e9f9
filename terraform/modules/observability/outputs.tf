output "log_key_arn" {
  description = "KMS key that encrypts the environment's logs and the topic of its alarms."
  value       = aws_kms_key.this.arn
}

output "application_log_group_name" {
  description = "Log group of the service's and the mesh's pods."
  value       = aws_cloudwatch_log_group.application.name
}

output "agent_log_group_arns" {
  description = "Log groups that the agents in the cluster write to."
  value = concat(
    [aws_cloudwatch_log_group.application.arn],
    [for group in aws_cloudwatch_log_group.container_insights : group.arn],
  )
}

output "alarm_topic_arn" {
  description = "Topic of all alarms but the health check's, which is in us-east-1."
  value       = aws_sns_topic.alarms.arn
}
