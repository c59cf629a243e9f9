# The image repository. Tags are immutable: what was tested under a tag is what
# production pulls.

data "aws_caller_identity" "current" {}

resource "aws_kms_key" "this" {
  description             = "Images of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_protection ? 30 : 7

  # The account's IAM policies decide who may use the key: in a key policy "*" is this key.
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "kms:*", Resource = "*", Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.current.account_id}:root" } }]
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}-registry"
  target_key_id = aws_kms_key.this.key_id
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
