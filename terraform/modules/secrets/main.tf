# Three secrets: the master user's, which Terraform writes and only the rotation
# function reads; the schema owner's and the application's, which only the
# rotation function writes. No value of any of them enters plan or state.

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  recovery_days = var.deletion_protection ? 30 : 7

  # Rotated secret => role; the secret alternates between the role's two users <role>_a and <role>_b.
  rotated = {
    owner       = "${var.database.project}_owner"
    application = "${var.database.project}_app"
  }
}

resource "aws_kms_key" "this" {
  description             = "Secrets of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = local.recovery_days

  # The account's IAM policies decide who may use the key: in a key policy "*" is this key.
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "kms:*", Resource = "*", Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.current.account_id}:root" } }]
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}-secrets"
  target_key_id = aws_kms_key.this.key_id
}

resource "aws_secretsmanager_secret" "master" {
  #checkov:skip=CKV2_AWS_57:It changes by master_password_version, as RDS and the secret must agree
  name                    = "${var.name}/database/master"
  description             = "Master user of the database; for the rotation function, and for people who see and end sessions"
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = local.recovery_days
}

resource "aws_secretsmanager_secret_version" "master" {
  secret_id                = aws_secretsmanager_secret.master.id
  secret_string_wo         = jsonencode({ username = var.master_username, password = var.master_password })
  secret_string_wo_version = var.master_password_version
}

resource "aws_secretsmanager_secret" "rotated" {
  for_each = local.rotated

  name                    = "${var.name}/database/${each.key}"
  description             = "Database login, alternating between ${each.value}_a and ${each.value}_b"
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = local.recovery_days
}

# Creates the roles and the secrets' first values. Run again, it only gives the users a new limit of connections:
# at once, not with the next rotation.
resource "aws_lambda_invocation" "initialize" {
  function_name = aws_lambda_function.rotation.function_name
  input         = jsonencode({ Step = "initialize" })
  triggers      = { connection_limit = var.connection_limit }

  depends_on = [aws_iam_role_policy.rotation, aws_secretsmanager_secret_version.master]
}

resource "aws_secretsmanager_secret_rotation" "this" {
  #checkov:skip=CKV_AWS_304:rotation_days is at most 90: checkov does not read the variable
  for_each = local.rotated

  secret_id           = aws_secretsmanager_secret.rotated[each.key].id
  rotation_lambda_arn = aws_lambda_function.rotation.arn

  rotation_rules {
    automatically_after_days = var.rotation_days
  }

  depends_on = [aws_lambda_permission.secrets_manager, aws_lambda_invocation.initialize]
}
