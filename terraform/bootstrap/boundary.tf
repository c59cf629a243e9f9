# The permissions boundary of an environment's roles. It limits them, regardless of their policies, to
# what nodes, controllers and rotation function need, in one region. Of all stored data they can
# read only the environment's own secrets; no IAM, no S3, no access to Kubernetes.

locals {
  environments = toset(["staging", "production"])
}

data "aws_iam_policy_document" "boundary" {
  for_each = local.environments

  statement {
    sid = "Workloads"
    actions = [
      "autoscaling:Describe*",
      "cloudwatch:PutMetricData",
      "ec2:AssignPrivateIpAddresses",
      "ec2:AttachNetworkInterface",
      "ec2:AttachVolume",
      "ec2:CreateNetworkInterface",
      "ec2:CreateTags",
      "ec2:CreateVolume",
      "ec2:DeleteNetworkInterface",
      "ec2:DeleteVolume",
      "ec2:Describe*",
      "ec2:DetachNetworkInterface",
      "ec2:DetachVolume",
      "ec2:GetInstanceTypesFromInstanceRequirements",
      "ec2:ModifyNetworkInterfaceAttribute",
      "ec2:ModifyVolume",
      "ec2:UnassignPrivateIpAddresses",
      "ecr:BatchCheckLayerAvailability",
      "ecr:BatchGetImage",
      "ecr:GetAuthorizationToken",
      "ecr:GetDownloadUrlForLayer",
      "eks-auth:AssumeRoleForPodIdentity",
      "elasticloadbalancing:Describe*",
      "xray:PutTelemetryRecords",
      "xray:PutTraceSegments",
    ]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [var.region]
    }
  }

  statement {
    sid = "OwnThings"
    actions = [
      "eks:DescribeCluster",
      "eks:DescribeNodegroup",
      "elasticloadbalancing:DeregisterTargets",
      "elasticloadbalancing:RegisterTargets",
      "logs:CreateLogStream",
      "logs:DescribeLogStreams",
      "logs:PutLogEvents",
      "secretsmanager:DescribeSecret",
      "secretsmanager:GetSecretValue",
      "secretsmanager:PutSecretValue",
      "secretsmanager:UpdateSecretVersionStage",
      "sns:Publish",
    ]
    resources = concat(
      [
        "${local.regional.eks}:cluster/${var.project}-${each.key}",
        "${local.regional.eks}:nodegroup/${var.project}-${each.key}/*",
        "${local.regional.elasticloadbalancing}:targetgroup/${var.project}-${each.key}-*",
        "${local.regional.secretsmanager}:secret:${var.project}-${each.key}/*",
        "${local.regional.sns}:${var.project}-${each.key}-*",
        "${local.regional.logs}:log-group:RDS*", # Of enhanced monitoring, one per account.
      ],
      local.log_groups[each.key],
    )
  }

  # The first instance of an account makes enhanced monitoring's log group.
  statement {
    sid       = "LogGroupOfMonitoring"
    actions   = ["logs:CreateLogGroup", "logs:PutRetentionPolicy"]
    resources = ["${local.regional.logs}:log-group:RDS*"]
  }

  # EKS chooses the names of its Auto Scaling groups, and tags them with the cluster's name.
  statement {
    sid       = "OwnNodes"
    actions   = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/k8s.io/cluster-autoscaler/${var.project}-${each.key}"
      values   = ["owned"]
    }
  }

  statement {
    sid       = "FindLogGroups"
    actions   = ["logs:DescribeLogGroups"]
    resources = ["*"]
  }

  # Keys have no names to match. Secrets Manager passes the ARN of the secret that it uses a key for.
  statement {
    sid       = "KeysOfOwnSecrets"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    condition {
      test     = "StringLike"
      variable = "kms:EncryptionContext:SecretARN"
      values   = ["${local.regional.secretsmanager}:secret:${var.project}-${each.key}/*"]
    }
  }

  statement {
    sid       = "KeysOfTopics"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["sns.${var.region}.amazonaws.com"]
    }
  }

  # The control plane encrypts the secrets that Kubernetes stores with the cluster's key, the EBS driver its volumes with that of EBS.
  statement {
    sid       = "KeysOfTheCluster"
    actions   = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ListGrants"]
    resources = ["*"]

    condition {
      test     = "ArnEquals"
      variable = "aws:PrincipalArn"
      values   = [for role in ["control-plane", "ebs-csi"] : "${local.iam}:role/${var.project}-${each.key}-${role}"]
    }
  }
}

resource "aws_iam_policy" "boundary" {
  for_each = local.environments

  name        = "${var.project}-boundary-${each.key}"
  description = "Permissions boundary of every role of ${each.key}"
  policy      = data.aws_iam_policy_document.boundary[each.key].json
}
