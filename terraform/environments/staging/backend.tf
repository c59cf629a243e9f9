terraform {
  backend "s3" {
    bucket     = "birthday-terraform-state-111111111111"
    key        = "staging/terraform.tfstate"
    region     = "eu-west-1"
    encrypt    = true
    kms_key_id = "alias/birthday-terraform-state"

    # Both locks until every Terraform version in use supports S3's own lock: the table is deprecated.
    use_lockfile   = true
    dynamodb_table = "birthday-terraform-lock"
  }
}
