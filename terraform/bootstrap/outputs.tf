output "name_servers" {
  description = "Delegate zone_name to these at your registrar (or in the parent zone) before applying an environment."
  value       = aws_route53_zone.this.name_servers
}

output "repository_url" {
  description = "Where CI pushes images."
  value       = module.registry.repository_url
}

output "ci_role_arns" {
  description = "Roles for GitHub Actions: `plan`, `apply-staging`, `apply-production`, `push`."
  value       = { for name, role in aws_iam_role.ci : name => role.arn }
}

output "operator_role_arn" {
  description = "Role that administers the clusters."
  value       = aws_iam_role.operator.arn
}
