# A managed node group per zone: each zone keeps its nodes, and the autoscaler
# can add one where a pod's zone or volume needs it.

data "aws_iam_policy_document" "node_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "node" {
  name                 = "${var.name}-node"
  assume_role_policy   = data.aws_iam_policy_document.node_assume.json
  permissions_boundary = var.permissions_boundary_arn
}

# Nodes may join the cluster and pull images, nothing else: pods have their own roles.
resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"])

  role       = aws_iam_role.node.name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

# The provider's default_tags do not reach what a launch template or the EBS driver makes; the bill is read by tag.
data "aws_default_tags" "current" {}

resource "aws_launch_template" "node" {
  name                   = "${var.name}-node"
  description            = "Nodes of ${var.name}"
  update_default_version = true
  vpc_security_group_ids = [var.node_security_group_id]

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.node_groups.disk_gib
      encrypted             = true
      kms_key_id            = aws_kms_key.this.arn
      delete_on_termination = true
    }
  }

  # One hop, so that pods cannot reach the node's credentials.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume"])

    content {
      resource_type = tag_specifications.key
      tags          = merge(data.aws_default_tags.current.tags, { Name = "${var.name}-node" })
    }
  }
}

resource "aws_eks_node_group" "this" {
  for_each = var.subnet_ids

  cluster_name           = aws_eks_cluster.this.name
  node_group_name_prefix = "${each.key}-"
  node_role_arn          = aws_iam_role.node.arn
  subnet_ids             = [each.value]
  version                = aws_eks_cluster.this.version
  release_version        = var.release_version
  instance_types         = var.node_groups.instance_types
  ami_type               = "AL2023_x86_64_STANDARD"
  capacity_type          = "ON_DEMAND"

  launch_template {
    id      = aws_launch_template.node.id
    version = aws_launch_template.node.latest_version
  }

  scaling_config {
    min_size     = var.node_groups.min
    desired_size = var.node_groups.desired
    max_size     = var.node_groups.max
  }

  update_config {
    max_unavailable = 1
  }

  # EKS replaces a node that stays unready; Auto Scaling checks the instance only.
  node_repair_config {
    enabled = true
  }

  lifecycle {
    # A change of instance types replaces the group: the new nodes exist before the old ones go.
    create_before_destroy = true
    ignore_changes        = [scaling_config[0].desired_size]
  }

  # Without the network plug-in a node never becomes ready, and the plug-in reaches the cluster through kube-proxy.
  depends_on = [
    aws_eks_addon.kube_proxy,
    aws_eks_addon.vpc_cni,
    aws_iam_role_policy_attachment.node,
  ]
}
