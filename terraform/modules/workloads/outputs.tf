output "role_arns" {
  description = "Roles by workload: `birthday-api`, `load-balancer-controller`, `external-secrets`, `cluster-autoscaler`, `cloudwatch-agent`, `alertmanager`."
  value       = { for workload, role in module.role : workload => role.role_arn }
}
