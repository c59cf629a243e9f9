# The image repository. Tags are immutable: what was tested under a tag is what
# production pulls.

resource "aws_kms_key" "this" {
  description             = "Images of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_protection ? 30 : 7
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}-registry"
  target_key_id = aws_kms_key.this.key_id
}

data "aws_caller_identity" "current" {}

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
      identifiers = ["arn:aws:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }
}

resource "aws_ecr_repository" "this" {
  name                 = var.name
  image_tag_mutability = "IMMUTABLE"
  force_delete         = !var.deletion_protection

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.this.arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name

  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        # Signatures and attestations have no tag: ECR counts and expires them like images, and
        # deletes them with the image that they refer to. So the rules select tagged images only.
        description = "Keep the newest ${var.retained_images}"
        selection   = { tagStatus = "tagged", tagPatternList = ["*"], countType = "imageCountMoreThan", countNumber = var.retained_images }
        action      = { type = "expire" }
      },
    ]
  })
}
