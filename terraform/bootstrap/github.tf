# What GitHub Actions may do. GitHub stores no AWS key: its OIDC token identifies the
# workflow, and each role trusts exact subjects of one repository.

# An account can have only one provider per URL. If another repository created it, this one uses it.
resource "aws_iam_openid_connect_provider" "github" {
  count = var.create_github_oidc_provider ? 1 : 0

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

locals {
  github_oidc_provider_arn = var.create_github_oidc_provider ? aws_iam_openid_connect_provider.github[0].arn : "${local.iam}:oidc-provider/token.actions.githubusercontent.com"

  # Subjects of a repository created, renamed or moved since 15 July 2026 contain the IDs of owner and
  # repository, so that someone who takes over an abandoned name is not trusted: the ID differs.
  github_subject = var.github_repository_id == null ? "repo:${var.github_repository}" : format(
    "repo:%s@%d/%s@%d", split("/", var.github_repository)[0], var.github_owner_id, split("/", var.github_repository)[1], var.github_repository_id
  )

  # role => the runs that may assume it
  ci_subjects = {
    plan             = ["pull_request", "ref:refs/heads/main"]
    apply-staging    = ["ref:refs/heads/main"]
    apply-production = ["ref:refs/heads/main"]
    push             = ["ref:refs/heads/main", "environment:delivery"]
  }
}

data "aws_iam_policy_document" "ci_assume" {
  for_each = local.ci_subjects

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.github_oidc_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = [for subject in each.value : "${local.github_subject}:${subject}"]
    }
  }
}

resource "aws_iam_role" "ci" {
  for_each = local.ci_subjects

  name                 = "${var.project}-ci-${each.key}"
  description          = "GitHub Actions: ${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.ci_assume[each.key].json
  max_session_duration = startswith(each.key, "apply") ? 7200 : 3600
}

# --- push: images into the one repository

data "aws_iam_policy_document" "push" {
  statement {
    sid       = "LogIn"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"] # This action does not support resource-level permissions.
  }

  statement {
    sid = "Push"
    actions = [
      "ecr:BatchCheckLayerAvailability",
      "ecr:BatchGetImage",
      "ecr:CompleteLayerUpload",
      "ecr:DescribeImages",
      "ecr:DescribeImageScanFindings",
      "ecr:GetDownloadUrlForLayer",
      "ecr:InitiateLayerUpload",
      "ecr:PutImage",
      "ecr:UploadLayerPart",
    ]
    resources = [module.registry.repository_arn]
  }
}

resource "aws_iam_role_policy" "push" {
  name   = "push-images"
  role   = aws_iam_role.ci["push"].id
  policy = data.aws_iam_policy_document.push.json
}

# --- plan: reads settings and the state, no data and no secret

resource "aws_iam_role_policy_attachment" "plan" {
  role       = aws_iam_role.ci["plan"].name
  policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}

data "aws_iam_policy_document" "plan" {
  statement {
    sid       = "DecryptState"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.state.arn]
  }

  # A first plan generates a password and discards it.
  statement {
    sid       = "MakeUpPasswords"
    actions   = ["secretsmanager:GetRandomPassword"]
    resources = ["*"] # This action does not support resource-level permissions.
  }

  # ReadOnlyAccess also reads stored data; a plan needs none of it.
  statement {
    sid    = "NoData"
    effect = "Deny"
    actions = [
      "ec2:GetConsole*",
      "ecr:GetDownloadUrlForLayer",
      "logs:FilterLogEvents",
      "logs:Get*",
      "logs:Start*",
      "pi:*",
      "rds:Download*",
      "secretsmanager:BatchGetSecretValue",
      "secretsmanager:GetSecretValue",
      "ssm:Get*",
      "wafv2:GetSampledRequests",
      "xray:*",
    ]
    resources = ["*"]
  }

  statement {
    sid           = "NoItemsButTheStatesChecksum"
    effect        = "Deny"
    actions       = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:GetRecords", "dynamodb:PartiQLSelect", "dynamodb:Query", "dynamodb:Scan"]
    not_resources = [aws_dynamodb_table.lock.arn]
  }

  statement {
    sid           = "NoObjectsButState"
    effect        = "Deny"
    actions       = ["s3:GetObject*"]
    not_resources = ["${aws_s3_bucket.state.arn}/*"]
  }
}

resource "aws_iam_role_policy" "plan" {
  name   = "plan"
  role   = aws_iam_role.ci["plan"].id
  policy = data.aws_iam_policy_document.plan.json
}
