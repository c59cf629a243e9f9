output "role_arns" {
  description = "Roles by workload: `birthday-api`, `load-balancer-controller`, `external-secrets`, `cluster-autoscaler`, `cloudwatch-agent`."
  value       = { for workload, role in module.role : workload => role.role_arn }
}
