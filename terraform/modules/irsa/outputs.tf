output "role_arn" {
  description = "The role, for the service account's `eks.amazonaws.com/role-arn` annotation."
  value       = aws_iam_role.this.arn

  # Resources that use the role need its policy, too.
  depends_on = [aws_iam_role_policy.this]
}
