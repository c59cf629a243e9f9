output "name" {
  description = "Name of the cluster."
  value       = aws_eks_cluster.this.name
}

output "endpoint" {
  description = "Address of the Kubernetes API."
  value       = aws_eks_cluster.this.endpoint
}

output "oidc_provider_arn" {
  description = "IAM OIDC provider that vouches for the cluster's service accounts."
  value       = aws_iam_openid_connect_provider.this.arn
}

output "log_group_name" {
  description = "Log group of the control plane."
  value       = aws_cloudwatch_log_group.control_plane.name
}
