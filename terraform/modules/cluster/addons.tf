# Add-ons that AWS maintains. Each one that calls AWS has its own role.

data "aws_iam_policy_document" "vpc_cni" {
  # EC2's Describe actions do not support resource-level permissions.
  statement {
    actions = [
      "ec2:DescribeInstances",
      "ec2:DescribeInstanceTypes",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "ec2:DescribeTags",
    ]
    resources = ["*"]
  }

  # A new interface must carry the cluster's tag, and only interfaces with that tag may be changed.
  statement {
    actions   = ["ec2:CreateNetworkInterface"]
    resources = ["arn:aws:ec2:*:${data.aws_caller_identity.current.account_id}:network-interface/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/cluster.k8s.amazonaws.com/name"
      values   = [var.name]
    }
  }

  statement {
    actions = ["ec2:CreateNetworkInterface"]
    resources = concat(
      [for id in values(var.subnet_ids) : "arn:aws:ec2:*:${data.aws_caller_identity.current.account_id}:subnet/${id}"],
      ["arn:aws:ec2:*:${data.aws_caller_identity.current.account_id}:security-group/${var.node_security_group_id}"],
    )
  }

  statement {
    actions   = ["ec2:CreateTags"]
    resources = ["arn:aws:ec2:*:${data.aws_caller_identity.current.account_id}:network-interface/*"]
  }

  # The plug-in does not tag the interfaces that an instance starts with, so this statement cannot require a tag.
  statement {
    actions = [
      "ec2:AssignPrivateIpAddresses",
      "ec2:UnassignPrivateIpAddresses",
      "ec2:AttachNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DetachNetworkInterface",
      "ec2:ModifyNetworkInterfaceAttribute",
    ]
    resources = [
      "arn:aws:ec2:*:${data.aws_caller_identity.current.account_id}:network-interface/*",
      "arn:aws:ec2:*:${data.aws_caller_identity.current.account_id}:instance/*",
      "arn:aws:ec2:*:${data.aws_caller_identity.current.account_id}:security-group/${var.node_security_group_id}",
    ]
  }
}

module "vpc_cni_role" {
  source = "../irsa"

  name                     = "${var.name}-vpc-cni"
  oidc_provider_arn        = aws_iam_openid_connect_provider.this.arn
  namespace                = "kube-system"
  service_account          = "aws-node"
  policy                   = data.aws_iam_policy_document.vpc_cni.json
  permissions_boundary_arn = var.permissions_boundary_arn
}

resource "aws_eks_addon" "vpc_cni" {
  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = "vpc-cni"
  addon_version               = var.addon_versions.vpc_cni
  service_account_role_arn    = module.vpc_cni_role.role_arn
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  configuration_values = jsonencode({
    enableNetworkPolicy = "true"
    # Addresses in blocks of 16: a node runs as many pods as its size allows.
    env = { ENABLE_PREFIX_DELEGATION = "true" }
  })
}

data "aws_iam_policy_document" "ebs_csi" {
  statement {
    actions = [
      "ec2:DescribeAvailabilityZones",
      "ec2:DescribeInstanceTypes",
      "ec2:DescribeInstances",
      "ec2:DescribeSnapshots",
      "ec2:DescribeTags",
      "ec2:DescribeVolumes",
      "ec2:DescribeVolumesModifications",
      "ec2:DescribeVolumeStatus",
    ]
    resources = ["*"] # EC2's Describe actions do not support resource-level permissions.
  }

  # A new volume must carry this cluster's tag, and only volumes with that tag may be changed.
  statement {
    actions   = ["ec2:CreateVolume"]
    resources = ["arn:aws:ec2:*:${data.aws_caller_identity.current.account_id}:volume/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes.io/cluster/${var.name}"
      values   = ["owned"]
    }
  }

  statement {
    actions   = ["ec2:CreateTags"]
    resources = ["arn:aws:ec2:*:${data.aws_caller_identity.current.account_id}:volume/*"]

    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values   = ["CreateVolume"]
    }
  }

  statement {
    actions   = ["ec2:AttachVolume", "ec2:DetachVolume", "ec2:ModifyVolume", "ec2:DeleteVolume"]
    resources = ["arn:aws:ec2:*:${data.aws_caller_identity.current.account_id}:volume/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/kubernetes.io/cluster/${var.name}"
      values   = ["owned"]
    }
  }

  # EC2 checks both sides of an attachment; the instance is identified by its cluster's tag.
  statement {
    actions   = ["ec2:AttachVolume", "ec2:DetachVolume"]
    resources = ["arn:aws:ec2:*:${data.aws_caller_identity.current.account_id}:instance/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/eks:cluster-name"
      values   = [var.name]
    }
  }
}

module "ebs_csi_role" {
  source = "../irsa"

  name                     = "${var.name}-ebs-csi"
  oidc_provider_arn        = aws_iam_openid_connect_provider.this.arn
  namespace                = "kube-system"
  service_account          = "ebs-csi-controller-sa"
  policy                   = data.aws_iam_policy_document.ebs_csi.json
  permissions_boundary_arn = var.permissions_boundary_arn
}

# After the nodes: these add-ons run as pods, and EKS waits until they run.
resource "aws_eks_addon" "ebs_csi" {
  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = "aws-ebs-csi-driver"
  addon_version               = var.addon_versions.ebs_csi
  service_account_role_arn    = module.ebs_csi_role.role_arn
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  # The role's policy requires the cluster's tag.
  configuration_values = jsonencode({
    controller = { k8sTagClusterId = var.name, extraVolumeTags = data.aws_default_tags.current.tags }
  })

  depends_on = [aws_eks_node_group.this]
}

resource "aws_eks_addon" "coredns" {
  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = "coredns"
  addon_version               = var.addon_versions.coredns
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  depends_on = [aws_eks_node_group.this]
}

resource "aws_eks_addon" "kube_proxy" {
  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = "kube-proxy"
  addon_version               = var.addon_versions.kube_proxy
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
}
