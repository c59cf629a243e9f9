# What the apply role may change: things of this project, by name where AWS lets
# one name them. It makes roles only inside the permissions boundary, so it
# cannot give anyone, itself included, more than the boundary holds.

locals {
  arn = "arn:aws"
  own = "${var.project}-*"

  # service => the resources of it that carry the project's name
  named_resources = {
    rds    = [for kind in ["db", "pg", "subgrp", "es", "snapshot"] : "${local.arn}:rds:${var.region}:${local.account_id}:${kind}:${local.own}"]
    eks    = [for kind in ["cluster", "nodegroup", "addon", "access-entry"] : "${local.arn}:eks:${var.region}:${local.account_id}:${kind}/${local.own}"]
    lambda = ["${local.arn}:lambda:${var.region}:${local.account_id}:function:${local.own}"]
    sns    = ["${local.arn}:sns:*:${local.account_id}:${local.own}"]
    cloudwatch = [
      "${local.arn}:cloudwatch:*:${local.account_id}:alarm:${local.own}",
      "${local.arn}:cloudwatch::${local.account_id}:dashboard/${local.own}",
    ]
    logs = [
      for group in ["/birthday/${local.own}", "/aws/eks/${local.own}", "/aws/rds/instance/${local.own}", "/aws/lambda/${local.own}", "/aws/containerinsights/${local.own}", "aws-waf-logs-${local.own}"] :
      "${local.arn}:logs:${var.region}:${local.account_id}:log-group:${group}"
    ]
  }

  # Services whose resources get their names from AWS.
  unnamed_services = ["acm", "ec2", "elasticloadbalancing", "kms", "wafv2"]
}

data "aws_iam_policy_document" "apply" {
  dynamic "statement" {
    for_each = local.named_resources

    content {
      actions   = ["${statement.key}:*"]
      resources = statement.value
    }
  }

  statement {
    sid       = "UnnamedResources"
    actions   = [for service in local.unnamed_services : "${service}:*"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [var.region]
    }
  }

  statement {
    sid = "Look"
    actions = [
      "autoscaling:Describe*",
      "cloudwatch:Describe*",
      "ecr:DescribeRepositories",
      "ecr:ListTagsForResource",
      "eks:DescribeAddonVersions",
      "logs:CreateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:Describe*",
      "logs:DescribeResourcePolicies",
      "logs:PutResourcePolicy",
      "rds:Describe*",
      "route53:CreateHealthCheck",
      "route53:Get*",
      "route53:List*",
      "secretsmanager:GetRandomPassword",
      "secretsmanager:ListSecrets",
    ]
    resources = ["*"] # None of these takes a resource that is known before.
  }

  statement {
    sid       = "Records"
    actions   = ["route53:ChangeResourceRecordSets"]
    resources = [aws_route53_zone.this.arn]
  }

  statement {
    sid       = "HealthChecks"
    actions   = ["route53:ChangeTagsForResource", "route53:DeleteHealthCheck", "route53:UpdateHealthCheck"]
    resources = ["${local.arn}:route53:::healthcheck/*"]
  }

  # Every secret can be kept; the one that is read is the master user's.
  statement {
    sid = "Secrets"
    actions = [
      "secretsmanager:CancelRotateSecret",
      "secretsmanager:CreateSecret",
      "secretsmanager:DeleteSecret",
      "secretsmanager:DescribeSecret",
      "secretsmanager:GetResourcePolicy",
      "secretsmanager:ListSecretVersionIds",
      "secretsmanager:RotateSecret",
      "secretsmanager:TagResource",
      "secretsmanager:UntagResource",
      "secretsmanager:UpdateSecret",
    ]
    resources = ["${local.arn}:secretsmanager:${var.region}:${local.account_id}:secret:${local.own}"]
  }

  statement {
    sid       = "MasterSecret"
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"]
    resources = ["${local.arn}:secretsmanager:${var.region}:${local.account_id}:secret:${local.own}/database/master-*"]
  }

  statement {
    sid       = "State"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:GetBucket*"]
    resources = [aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]
  }

  statement {
    sid       = "Lock"
    actions   = ["dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"]
    resources = [aws_dynamodb_table.lock.arn]
  }
}

data "aws_iam_policy_document" "apply_iam" {
  statement {
    sid       = "LookAtRoles"
    actions   = ["iam:Get*", "iam:List*"]
    resources = ["*"]
  }

  statement {
    sid       = "RolesInsideTheBoundary"
    actions   = ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:AttachRolePolicy"]
    resources = ["${local.arn}:iam::${local.account_id}:role/${local.own}"]

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [aws_iam_policy.boundary.arn]
    }
  }

  statement {
    sid = "TakeBack"
    actions = [
      "iam:DeleteRole",
      "iam:DeleteRolePolicy",
      "iam:DetachRolePolicy",
      "iam:TagRole",
      "iam:UntagRole",
      "iam:UpdateAssumeRolePolicy",
      "iam:UpdateRole",
    ]
    resources = ["${local.arn}:iam::${local.account_id}:role/${local.own}"]
  }

  # Their names start with the project's, too: who may do what is bootstrap's alone.
  statement {
    sid    = "NotTheRolesOfBootstrap"
    effect = "Deny"
    actions = [
      "iam:Attach*",
      "iam:Create*",
      "iam:Delete*",
      "iam:Detach*",
      "iam:PassRole",
      "iam:Put*",
      "iam:Tag*",
      "iam:Untag*",
      "iam:Update*",
    ]
    resources = concat(
      [for role in aws_iam_role.ci : role.arn],
      [aws_iam_role.operator.arn, aws_iam_policy.boundary.arn, aws_iam_openid_connect_provider.github.arn],
    )
  }

  statement {
    sid       = "PassRoles"
    actions   = ["iam:PassRole"]
    resources = ["${local.arn}:iam::${local.account_id}:role/${local.own}"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values = [
        "ec2.amazonaws.com",
        "eks.amazonaws.com",
        "lambda.amazonaws.com",
        "monitoring.rds.amazonaws.com",
        "vpc-flow-logs.amazonaws.com",
      ]
    }
  }

  statement {
    sid       = "ClusterIssuers"
    actions   = ["iam:CreateOpenIDConnectProvider", "iam:DeleteOpenIDConnectProvider", "iam:TagOpenIDConnectProvider", "iam:UntagOpenIDConnectProvider"]
    resources = ["${local.arn}:iam::${local.account_id}:oidc-provider/oidc.eks.${var.region}.amazonaws.com/*"]
  }

  statement {
    sid       = "ServiceLinkedRoles"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["${local.arn}:iam::${local.account_id}:role/aws-service-role/*"]
  }
}

resource "aws_iam_role_policy" "apply" {
  name   = "apply"
  role   = aws_iam_role.ci["apply"].id
  policy = data.aws_iam_policy_document.apply.json
}

resource "aws_iam_role_policy" "apply_iam" {
  name   = "apply-iam"
  role   = aws_iam_role.ci["apply"].id
  policy = data.aws_iam_policy_document.apply_iam.json
}
