output "name" {
  description = "Name of the cluster."
  value       = aws_eks_cluster.this.name
}

output "oidc_provider_arn" {
  description = "IAM OIDC provider that vouches for the cluster's service accounts."
  value       = aws_iam_openid_connect_provider.this.arn
}
