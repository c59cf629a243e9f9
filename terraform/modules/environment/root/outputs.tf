output "bridge" {
  description = "What gitops/bootstrap/install hands to Argo CD."
  value       = module.environment.bridge
}

output "url" {
  description = "Where the service is."
  value       = module.environment.url
}

output "kubeconfig_command" {
  description = "What gives kubectl access to the cluster, as the operator."
  value       = module.environment.kubeconfig_command
}
