# The function that rotates the database users' passwords; its source is in rotation/.

resource "aws_cloudwatch_log_group" "rotation" {
  name              = "/aws/lambda/${var.name}-rotation"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_key_arn
}

data "aws_iam_policy_document" "rotation_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "rotation" {
  #checkov:skip=CKV_AWS_111:Lambda makes the function's network interfaces, and EC2 offers no resource to name for it
  statement {
    sid       = "ReadMaster"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.master.arn]
  }

  statement {
    sid = "RotateUsers"
    actions = [
      "secretsmanager:DescribeSecret",
      "secretsmanager:GetSecretValue",
      "secretsmanager:PutSecretValue",
      "secretsmanager:UpdateSecretVersionStage",
    ]
    resources = [for secret in aws_secretsmanager_secret.rotated : secret.arn]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.this.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["secretsmanager.${data.aws_region.current.id}.amazonaws.com"]
    }
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.rotation.arn}:*"]
  }

  # Lambda itself creates the function's network interfaces, and EC2 offers no resource
  # to restrict this to; the next statement denies these actions to the function's code.
  statement {
    sid = "JoinNetwork"
    actions = [
      "ec2:AssignPrivateIpAddresses",
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "ec2:UnassignPrivateIpAddresses",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "ButNotTheCode"
    effect    = "Deny"
    actions   = ["ec2:*"]
    resources = ["*"]

    condition {
      test     = "ArnEquals"
      variable = "lambda:SourceFunctionArn"
      values   = ["arn:aws:lambda:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:function:${var.name}-rotation"]
    }
  }
}

resource "aws_iam_role" "rotation" {
  name                 = "${var.name}-rotation"
  assume_role_policy   = data.aws_iam_policy_document.rotation_assume.json
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "rotation" {
  name   = "rotate-users"
  role   = aws_iam_role.rotation.id
  policy = data.aws_iam_policy_document.rotation.json
}

resource "aws_lambda_function" "rotation" {
  #checkov:skip=CKV_AWS_50:A monthly function of one second: its log says enough
  #checkov:skip=CKV_AWS_115:A new account runs ten functions at once, of which none can be reserved
  #checkov:skip=CKV_AWS_116:Secrets Manager calls the function, sees its errors and calls again: nothing is queued
  #checkov:skip=CKV_AWS_173:The variables hold names and ARNs, no secret
  #checkov:skip=CKV_AWS_272:The package is built from pinned hashes in the run that applies it
  function_name    = "${var.name}-rotation"
  description      = "Rotates the passwords of the database users"
  filename         = var.rotation_package
  source_code_hash = filebase64sha256(var.rotation_package)
  runtime          = "python3.13"
  architectures    = ["arm64"]
  handler          = "rotation.handler"
  role             = aws_iam_role.rotation.arn
  timeout          = 60
  memory_size      = 256

  vpc_config {
    subnet_ids         = var.subnet_ids
    security_group_ids = [var.security_group_id]
  }

  environment {
    variables = {
      DATABASE_HOST    = var.database.host
      DATABASE_PORT    = tostring(var.database.port)
      DATABASE_NAME    = var.database.name
      DATABASE_PROJECT = var.database.project
      CONNECTION_LIMIT = tostring(var.connection_limit)
      MASTER_SECRET    = aws_secretsmanager_secret.master.arn
      ROTATED_SECRETS  = jsonencode({ for key, role in local.rotated : role => aws_secretsmanager_secret.rotated[key].arn })
    }
  }

  # The role's permissions must exist before Lambda creates the network interfaces, and
  # the log group before Lambda creates its own.
  depends_on = [aws_iam_role_policy.rotation, aws_cloudwatch_log_group.rotation]
}

resource "aws_lambda_permission" "secrets_manager" {
  statement_id   = "secrets-manager"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.rotation.function_name
  principal      = "secretsmanager.amazonaws.com"
  source_account = data.aws_caller_identity.current.account_id
}
