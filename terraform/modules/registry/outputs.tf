output "repository_arn" {
  description = "The repository, for IAM policies."
  value       = aws_ecr_repository.this.arn
}

output "repository_url" {
  description = "What image references start with."
  value       = aws_ecr_repository.this.repository_url
}
