# Log groups and alarm topics. Alarms are in objectives.tf, alarms.tf, database_alarms.tf
# and log_alarms.tf, the dashboard is in dashboard.tf.

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  region     = data.aws_region.current.id
}

# One key for every log group of the environment, and for the topic.
data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:In a key policy "*" is this key, and the account's own IAM policies decide who may use it
  #checkov:skip=CKV_AWS_111:In a key policy "*" is this key, and the account's own IAM policies decide who may use it
  #checkov:skip=CKV_AWS_356:In a key policy "*" is this key, and the account's own IAM policies decide who may use it
  # The account's IAM policies decide who may use the key.
  statement {
    actions   = ["kms:*"]
    resources = ["*"] # In a key policy "*" means this key.

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${local.account_id}:root"]
    }
  }

  statement {
    sid       = "Logs"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${local.region}.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:aws:logs:${local.region}:${local.account_id}:log-group:*"]
    }
  }

  statement {
    sid       = "PublishToEncryptedTopic"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "events.rds.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

resource "aws_kms_key" "this" {
  description             = "Logs and alarms of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_protection ? 30 : 7
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}-logs"
  target_key_id = aws_kms_key.this.key_id
}

# The agents in the cluster write here; they may not create log groups.
resource "aws_cloudwatch_log_group" "application" {
  name              = "/birthday/${var.name}/application"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.this.arn
}

resource "aws_cloudwatch_log_group" "container_insights" {
  for_each = toset(["performance", "dataplane", "host"])

  name              = "/aws/containerinsights/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.this.arn
}

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = aws_kms_key.this.arn
}

data "aws_iam_policy_document" "topic" {
  statement {
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "events.rds.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = data.aws_iam_policy_document.topic.json
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.alarm_emails

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}

# Alarms on metrics in us-east-1 need a topic there. CloudWatch cannot publish to a topic that is
# encrypted with an AWS managed key, and the messages are public anyway: whether the service answers.
resource "aws_sns_topic" "global_alarms" {
  #checkov:skip=CKV_AWS_26:It says what everyone can see, and CloudWatch cannot use the key of alias/aws/sns
  provider = aws.us_east_1

  # Not the name of the topic of all other alarms, which may be in us-east-1, too.
  name = "${var.name}-health-check"
}

resource "aws_sns_topic_subscription" "global_email" {
  for_each = var.alarm_emails
  provider = aws.us_east_1

  topic_arn = aws_sns_topic.global_alarms.arn
  protocol  = "email"
  endpoint  = each.value
}
