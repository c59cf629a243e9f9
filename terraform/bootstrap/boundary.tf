# The most that any role of an environment can be given, whatever its policies
# say: what nodes, controllers and the rotation function do, in one region. No
# IAM, no other account, no S3.

data "aws_iam_policy_document" "boundary" {
  statement {
    sid = "Workloads"
    actions = [
      "autoscaling:*",
      "cloudwatch:PutMetricData",
      "ec2:*",
      "ecr:BatchCheckLayerAvailability",
      "ecr:BatchGetImage",
      "ecr:GetAuthorizationToken",
      "ecr:GetDownloadUrlForLayer",
      "eks-auth:AssumeRoleForPodIdentity",
      "eks:Describe*",
      "elasticloadbalancing:*",
      "kms:CreateGrant",
      "kms:Decrypt",
      "kms:DescribeKey",
      "kms:Encrypt",
      "kms:GenerateDataKey*",
      "kms:ListGrants",
      "logs:CreateLogGroup",
      "logs:CreateLogStream",
      "logs:Describe*",
      "logs:PutLogEvents",
      "logs:PutRetentionPolicy",
      "secretsmanager:DescribeSecret",
      "secretsmanager:GetSecretValue",
      "secretsmanager:PutSecretValue",
      "secretsmanager:UpdateSecretVersionStage",
      "sns:Publish",
    ]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [var.region]
    }
  }

  # EKS makes the roles of load balancing and Auto Scaling on first use.
  statement {
    sid       = "ServiceLinkedRoles"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["arn:aws:iam::${local.account_id}:role/aws-service-role/*"]
  }
}

resource "aws_iam_policy" "boundary" {
  name        = "${var.project}-boundary"
  description = "Permissions boundary of every role of an environment"
  policy      = data.aws_iam_policy_document.boundary.json
}
