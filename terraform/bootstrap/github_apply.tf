# What an environment's apply role may change: resources of that environment, matched by name where
# they have one, by tag where they do not. It creates roles only inside the environment's boundary.
# Code that it deploys may do what the boundary allows, and so can read the environment's own secrets,
# but that code reaches nothing of another environment and cannot change permissions.

locals {
  iam = "arn:aws:iam::${local.account_id}"

  # service => start of its ARNs in this region
  regional = {
    for service in ["eks", "elasticloadbalancing", "lambda", "logs", "rds", "secretsmanager", "sns", "wafv2"] :
    service => "arn:aws:${service}:${var.region}:${local.account_id}"
  }

  own = { for environment in local.environments : environment => "${var.project}-${environment}" }

  log_groups = {
    for environment, name in local.own : environment => flatten([
      for group in ["/birthday/${name}/*", "/aws/eks/${name}/*", "/aws/rds/instance/${name}*", "/aws/lambda/${name}-*", "/aws/containerinsights/${name}/*", "aws-waf-logs-${name}", "aws-waf-logs-${name}:*"] :
      "${local.regional.logs}:log-group:${group}"
    ])
  }
}

data "aws_iam_policy_document" "apply" {
  for_each = local.own

  # Names are the environment's own name, or begin with it and a hyphen.
  statement {
    sid     = "NamedResources"
    actions = ["cloudwatch:*", "lambda:*", "logs:*", "rds:*", "sns:*"]
    resources = concat(
      flatten([for kind in ["db", "pg", "subgrp", "es", "snapshot"] : ["${local.regional.rds}:${kind}:${each.value}", "${local.regional.rds}:${kind}:${each.value}-*"]]),
      [
        "arn:aws:cloudwatch:*:${local.account_id}:alarm:${each.value}-*",
        "arn:aws:cloudwatch::${local.account_id}:dashboard/${each.value}",
        "${local.regional.lambda}:function:${each.value}-*",
        "arn:aws:sns:*:${local.account_id}:${each.value}-*",
      ],
      local.log_groups[each.key],
    )
  }

  # RDS also requires access to the default option group, which belongs to AWS.
  statement {
    sid       = "DefaultOptionGroup"
    actions   = ["rds:CreateDBInstance", "rds:CreateDBInstanceReadReplica", "rds:ModifyDBInstance"]
    resources = ["${local.regional.rds}:og:default*"]
  }

  # The cluster and its nodes. The next statement is about access to it.
  statement {
    sid = "Cluster"
    actions = [
      "eks:AssociateEncryptionConfig",
      "eks:Create*",
      "eks:Delete*",
      "eks:Describe*",
      "eks:List*",
      "eks:TagResource",
      "eks:UntagResource",
      "eks:Update*",
    ]
    resources = [
      "${local.regional.eks}:cluster/${each.value}",
      "${local.regional.eks}:nodegroup/${each.value}/*",
      "${local.regional.eks}:addon/${each.value}/*",
    ]
  }

  statement {
    sid = "ClusterAccess"
    actions = [
      "eks:AssociateAccessPolicy",
      "eks:DeleteAccessEntry",
      "eks:DescribeAccessEntry",
      "eks:DisassociateAccessPolicy",
      "eks:ListAssociatedAccessPolicies",
      "eks:TagResource",
      "eks:UntagResource",
    ]
    resources = ["${local.regional.eks}:access-entry/${each.value}/role/${local.account_id}/${aws_iam_role.operator.name}/*"]
  }

  statement {
    sid       = "NobodyElseEntersTheCluster"
    effect    = "Deny"
    actions   = ["eks:CreateAccessEntry"]
    resources = ["*"]

    condition {
      test     = "ArnNotEquals"
      variable = "eks:principalArn"
      values   = [aws_iam_role.operator.arn]
    }
  }

  statement {
    sid       = "WhoMakesTheClusterDoesNotEnterIt"
    effect    = "Deny"
    actions   = ["eks:CreateCluster"]
    resources = ["*"]

    condition {
      test     = "Bool"
      variable = "eks:bootstrapClusterCreatorAdminPermissions"
      values   = ["true"]
    }
  }

  statement {
    sid       = "NoOtherWayInto"
    effect    = "Deny"
    actions   = ["eks:AccessKubernetesApi", "eks:*PodIdentityAssociation", "eks:*IdentityProviderConfig", "eks:*Capability"]
    resources = ["*"]
  }

  statement {
    sid = "Secrets"
    actions = [
      "secretsmanager:CancelRotateSecret",
      "secretsmanager:CreateSecret",
      "secretsmanager:DeleteSecret",
      "secretsmanager:DescribeSecret",
      "secretsmanager:GetResourcePolicy",
      "secretsmanager:ListSecretVersionIds",
      "secretsmanager:RestoreSecret",
      "secretsmanager:RotateSecret",
      "secretsmanager:TagResource",
      "secretsmanager:UntagResource",
      "secretsmanager:UpdateSecret",
    ]
    resources = ["${local.regional.secretsmanager}:secret:${each.value}/*"]
  }

  statement {
    sid       = "MasterSecret"
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"]
    resources = ["${local.regional.secretsmanager}:secret:${each.value}/database/master-*"]
  }

  statement {
    sid       = "OwnState"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = ["${aws_s3_bucket.state.arn}/${each.key}/*"]
  }

  statement {
    sid       = "FindState"
    actions   = ["s3:ListBucket", "s3:GetBucket*"]
    resources = [aws_s3_bucket.state.arn]
  }

  statement {
    sid       = "OwnLock"
    actions   = ["dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"]
    resources = [aws_dynamodb_table.lock.arn]

    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = ["${var.state_bucket}/${each.key}/*"]
    }
  }

  statement {
    sid       = "StateKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.state.arn]
  }
}

# Three managed policies: a role's inline policies may have only 10,240 characters together, each managed policy 6,144.
locals {
  apply_policies = merge([
    for environment in local.environments : {
      for part, document in {
        named   = data.aws_iam_policy_document.apply[environment]
        unnamed = data.aws_iam_policy_document.apply_unnamed[environment]
        iam     = data.aws_iam_policy_document.apply_iam[environment]
      } : "${environment}-${part}" => { environment = environment, json = document.json }
    }
  ]...)
}

resource "aws_iam_policy" "apply" {
  for_each = local.apply_policies

  name        = "${var.project}-ci-apply-${each.key}"
  description = "What GitHub Actions may change in ${each.value.environment}"
  policy      = each.value.json
}

resource "aws_iam_role_policy_attachment" "apply" {
  for_each = local.apply_policies

  role       = aws_iam_role.ci["apply-${each.value.environment}"].name
  policy_arn = aws_iam_policy.apply[each.key].arn
}
