# One role per workload in the cluster, each with only the permissions that it needs.
# `local.workloads` is the whole list; the policies are below.

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  workloads = {
    birthday-api = {
      namespace = "birthday-api", service_account = "birthday-api"
      policy    = data.aws_iam_policy_document.service.json
    }
    load-balancer-controller = {
      namespace = "kube-system", service_account = "aws-load-balancer-controller"
      policy    = data.aws_iam_policy_document.load_balancer_controller.json
    }
    external-secrets = {
      namespace = "external-secrets", service_account = "external-secrets"
      policy    = data.aws_iam_policy_document.external_secrets.json
    }
    cluster-autoscaler = {
      namespace = "kube-system", service_account = "cluster-autoscaler"
      policy    = data.aws_iam_policy_document.cluster_autoscaler.json
    }
    cloudwatch-agent = {
      namespace = "amazon-cloudwatch", service_account = "cloudwatch-agent"
      policy    = data.aws_iam_policy_document.cloudwatch_agent.json
    }
    alertmanager = {
      namespace = "monitoring", service_account = "alertmanager"
      policy    = data.aws_iam_policy_document.alertmanager.json
    }
  }
}

module "role" {
  source   = "../irsa"
  for_each = local.workloads

  name                     = "${var.name}-${each.key}"
  oidc_provider_arn        = var.oidc_provider_arn
  namespace                = each.value.namespace
  service_account          = each.value.service_account
  policy                   = each.value.policy
  permissions_boundary_arn = var.permissions_boundary_arn
}

# The service calls no AWS API: its credentials are mounted as files. Its role denies
# every call, even if another policy is attached to it later.
data "aws_iam_policy_document" "service" {
  statement {
    sid       = "CallsNoAwsApi"
    effect    = "Deny"
    actions   = ["*"]
    resources = ["*"]
  }
}

# Terraform owns the target group; the controller only registers and deregisters targets.
# It creates no load balancer and changes no security group.
data "aws_iam_policy_document" "load_balancer_controller" {
  statement {
    sid       = "KeepTargets"
    actions   = ["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"]
    resources = [var.target_group_arn]
  }

  # These actions do not support resource-level permissions.
  statement {
    sid = "Look"
    actions = [
      "ec2:DescribeAvailabilityZones",
      "ec2:DescribeInstances",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "ec2:DescribeVpcs",
      "elasticloadbalancing:DescribeTargetGroupAttributes",
      "elasticloadbalancing:DescribeTargetGroups",
      "elasticloadbalancing:DescribeTargetHealth",
    ]
    resources = ["*"]
  }
}

# The database's two logins, and the key of the GitHub App with which Argo CD reads a private
# repository: a secret that people create by hand where they need it.
data "aws_iam_policy_document" "external_secrets" {
  statement {
    sid       = "ReadSecrets"
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    resources = var.secret_arns
  }

  # Not managed by Terraform: AWS adds six random characters to its ARN.
  statement {
    sid       = "ReadKeyOfGitHubApp"
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    resources = ["arn:aws:secretsmanager:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:secret:${var.name}/github-app-??????"]
  }

  statement {
    sid       = "Decrypt"
    actions   = ["kms:Decrypt"]
    resources = [var.secrets_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["secretsmanager.${data.aws_region.current.id}.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "cluster_autoscaler" {
  # These actions do not support resource-level permissions.
  statement {
    sid = "Look"
    actions = [
      "autoscaling:DescribeAutoScalingGroups",
      "autoscaling:DescribeAutoScalingInstances",
      "autoscaling:DescribeLaunchConfigurations",
      "autoscaling:DescribeScalingActivities",
      "autoscaling:DescribeTags",
      "ec2:DescribeImages",
      "ec2:DescribeInstanceTypes",
      "ec2:DescribeLaunchTemplateVersions",
      "ec2:GetInstanceTypesFromInstanceRequirements",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "LookAtNodeGroups"
    actions   = ["eks:DescribeNodegroup"]
    resources = ["arn:aws:eks:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:nodegroup/${var.name}/*/*"]
  }

  # EKS tags the Auto Scaling groups of its node groups with the cluster's name.
  statement {
    sid       = "ScaleThisCluster"
    actions   = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
    resources = ["arn:aws:autoscaling:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:autoScalingGroup:*:autoScalingGroupName/eks-*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/k8s.io/cluster-autoscaler/${var.name}"
      values   = ["owned"]
    }
  }
}

data "aws_iam_policy_document" "cloudwatch_agent" {
  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = flatten([for arn in var.log_group_arns : [arn, "${arn}:*"]])
  }

  statement {
    sid       = "FindLogGroups"
    actions   = ["logs:DescribeLogGroups"]
    resources = ["arn:aws:logs:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:log-group:*"]
  }

  # PutMetricData does not support resource-level permissions, but a condition can name the namespaces.
  statement {
    sid       = "WriteMetrics"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["ContainerInsights", "CWAgent"]
    }
  }

  statement {
    sid       = "LookAtNodes"
    actions   = ["ec2:DescribeInstances", "ec2:DescribeTags", "ec2:DescribeVolumes"]
    resources = ["*"] # EC2's Describe actions do not support resource-level permissions.
  }

  # The trace collector uses this role, too. X-Ray's actions do not support resource-level permissions.
  statement {
    sid       = "WriteTraces"
    actions   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    resources = ["*"]
  }
}

# Prometheus' alerts reach the same people as CloudWatch's alarms.
data "aws_iam_policy_document" "alertmanager" {
  statement {
    sid       = "Ring"
    actions   = ["sns:Publish"]
    resources = [var.alarm_topic_arn]
  }

  # The topic is encrypted: its publishers generate the data keys.
  statement {
    sid       = "Encrypt"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.alarm_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["sns.${data.aws_region.current.id}.amazonaws.com"]
    }
  }
}
