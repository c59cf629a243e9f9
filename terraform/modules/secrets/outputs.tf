output "master_secret_id" {
  description = "Secret of the master user, known once it has a value."
  value       = aws_secretsmanager_secret_version.master.secret_id
}

output "application_secret" {
  description = "Login of the service."
  value       = { name = aws_secretsmanager_secret.rotated["application"].name, arn = aws_secretsmanager_secret.rotated["application"].arn }
}

output "owner_secret" {
  description = "Login of the migration job."
  value       = { name = aws_secretsmanager_secret.rotated["owner"].name, arn = aws_secretsmanager_secret.rotated["owner"].arn }
}

output "key_arn" {
  description = "KMS key that encrypts the secrets."
  value       = aws_kms_key.this.arn
}
