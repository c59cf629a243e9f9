# The role of the clusters' administrators. The account's own IAM policies decide who
# may assume it; running Terraform grants no access to the clusters.

data "aws_iam_policy_document" "operator_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${local.account_id}:root"]
    }
  }
}

data "aws_iam_policy_document" "operator" {
  statement {
    sid       = "FindCluster"
    actions   = ["eks:DescribeCluster"]
    resources = ["arn:aws:eks:${var.region}:${local.account_id}:cluster/${var.project}-*"]
  }
}

resource "aws_iam_role" "operator" {
  name               = "${var.project}-operator"
  description        = "Administers the Kubernetes clusters"
  assume_role_policy = data.aws_iam_policy_document.operator_assume.json
}

resource "aws_iam_role_policy" "operator" {
  name   = "find-clusters"
  role   = aws_iam_role.operator.id
  policy = data.aws_iam_policy_document.operator.json
}
