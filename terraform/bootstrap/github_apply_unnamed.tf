# Resources that AWS names itself, and actions without resource-level permissions.
data "aws_iam_policy_document" "apply_unnamed" {
  for_each = local.own

  statement {
    sid = "Look"
    actions = [
      "acm:DescribeCertificate",
      "acm:ListTagsForCertificate",
      "autoscaling:Describe*",
      "cloudwatch:Describe*",
      "ec2:Describe*",
      "ec2:GetSubnetCidrReservations",
      "ecr:DescribeRepositories",
      "ecr:ListTagsForResource",
      "eks:DescribeAddonVersions",
      "elasticloadbalancing:Describe*",
      "kms:DescribeKey",
      "kms:GetKeyPolicy",
      "kms:GetKeyRotationStatus",
      "kms:List*",
      "logs:Describe*",
      "logs:ListTagsForResource",
      "rds:Describe*",
      "rds:ListTagsForResource",
      "route53:Get*",
      "route53:List*",
      "secretsmanager:GetRandomPassword",
      "secretsmanager:ListSecrets",
      "sns:GetSubscriptionAttributes",
      "wafv2:Get*",
      "wafv2:List*",
    ]
    resources = ["*"]
  }

  # CloudWatch accepts PutCompositeAlarm for "*" only; WAF log delivery and subscriptions have no resource-level permissions.
  statement {
    sid = "TakeNoResource"
    actions = [
      "cloudwatch:PutCompositeAlarm",
      "eks:CreateCluster",
      "logs:CreateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:PutResourcePolicy",
      "route53:CreateHealthCheck",
      "sns:SetSubscriptionAttributes",
      "sns:Unsubscribe",
    ]
    resources = ["*"]
  }

  # The network. EC2 resources have no names to match; the role may change nothing that can hold data (instances,
  # disks, images, snapshots). RunInstances is here because EKS tests a launch template before it accepts it.
  statement {
    sid = "Network"
    actions = flatten([
      for thing in ["FlowLogs", "InternetGateway", "LaunchTemplate", "LaunchTemplateVersion*", "NatGateway", "NetworkAcl", "NetworkAclEntry", "Route", "RouteTable", "SecurityGroup", "Subnet", "SubnetCidrReservation", "Tags", "Vpc", "VpcEndpoint*"] :
      ["ec2:Create${thing}", "ec2:Delete${thing}"]
    ])
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [var.region]
    }
  }

  statement {
    sid = "ChangeNetwork"
    actions = [
      "ec2:AllocateAddress",
      "ec2:AssociateAddress",
      "ec2:AssociateRouteTable",
      "ec2:AttachInternetGateway",
      "ec2:AuthorizeSecurityGroup*",
      "ec2:DetachInternetGateway",
      "ec2:DetachNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DisassociateAddress",
      "ec2:DisassociateRouteTable",
      "ec2:ModifyLaunchTemplate",
      "ec2:ModifySecurityGroupRules",
      "ec2:ModifySubnetAttribute",
      "ec2:ModifyVpcAttribute",
      "ec2:ModifyVpcEndpoint",
      "ec2:ReleaseAddress",
      "ec2:ReplaceNetworkAcl*",
      "ec2:ReplaceRoute",
      "ec2:ReplaceRouteTableAssociation",
      "ec2:RevokeSecurityGroup*",
      "ec2:RunInstances",
      "ec2:UpdateSecurityGroupRuleDescriptions*",
    ]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [var.region]
    }
  }

  # Tags decide ownership: no environment can take over another's resources by tagging them as its own.
  # Of keys it denies the tagging only: their use is allowed by tag already, and the state's key is tagged as shared.
  statement {
    sid       = "NothingOfOthers"
    effect    = "Deny"
    actions   = ["acm:*", "ec2:*", "elasticloadbalancing:*", "kms:TagResource"]
    resources = ["*"]

    condition {
      test     = "StringNotEquals"
      variable = "aws:ResourceTag/Environment"
      values   = [each.key]
    }

    condition {
      test     = "Null"
      variable = "aws:ResourceTag/Environment"
      values   = ["false"]
    }
  }

  statement {
    sid       = "MakeKeysAndCertificates"
    actions   = ["acm:AddTagsToCertificate", "acm:RequestCertificate", "kms:CreateKey", "kms:TagResource"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/Environment"
      values   = [each.key]
    }
  }

  statement {
    sid = "OwnKeysAndCertificates"
    actions = [
      "acm:DeleteCertificate",
      "acm:RemoveTagsFromCertificate",
      "acm:RenewCertificate",
      "acm:UpdateCertificateOptions",
      "kms:CreateAlias",
      "kms:CreateGrant",
      "kms:Decrypt",
      "kms:DeleteAlias",
      "kms:EnableKey*",
      "kms:Encrypt",
      "kms:GenerateDataKey*",
      "kms:PutKeyPolicy",
      "kms:RevokeGrant",
      "kms:ScheduleKeyDeletion",
      "kms:UntagResource",
      "kms:UpdateAlias",
      "kms:UpdateKeyDescription",
    ]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/Environment"
      values   = [each.key]
    }
  }

  statement {
    sid       = "OwnAliases"
    actions   = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"]
    resources = ["arn:aws:kms:${var.region}:${local.account_id}:alias/${each.value}-*"]
  }

  statement {
    sid     = "LoadBalancer"
    actions = ["elasticloadbalancing:*", "wafv2:*"]
    resources = [
      for part in ["loadbalancer/app/${each.value}", "listener/app/${each.value}", "listener-rule/app/${each.value}", "targetgroup/${each.value}-gateway"] :
      "${local.regional.elasticloadbalancing}:${part}/*"
    ]
  }

  statement {
    sid       = "WebAcl"
    actions   = ["wafv2:*"]
    resources = ["${local.regional.wafv2}:regional/webacl/${each.value}/*", "${local.regional.wafv2}:regional/managedruleset/*"]
  }

  # The environments share the zone: production's name is its apex, staging's is staging.<zone>. Each makes its address, and
  # below it the record _<hash> by which Amazon validates its certificate. The zone's other records are bootstrap's.
  statement {
    sid       = "Records"
    actions   = ["route53:ChangeResourceRecordSets"]
    resources = [aws_route53_zone.this.arn]

    condition {
      test     = "ForAllValues:StringLike"
      variable = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
      values   = each.key == "production" ? [var.zone_name, "_*.${var.zone_name}"] : ["${each.key}.${var.zone_name}", "*.${each.key}.${var.zone_name}"]
    }

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "route53:ChangeResourceRecordSetsRecordTypes"
      values   = ["A", "CNAME"]
    }

    # ForAllValues is true where the key is missing.
    condition {
      test     = "Null"
      variable = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
      values   = ["false"]
    }
  }

  statement {
    sid       = "HealthChecks"
    actions   = ["route53:ChangeTagsForResource", "route53:DeleteHealthCheck", "route53:UpdateHealthCheck"]
    resources = ["arn:aws:route53:::healthcheck/*"]
  }
}
