# What the environments share and need before they can be applied: their state
# (state.tf), the DNS zone, the image repository, and who may do what
# (github.tf, operator.tf, boundary.tf). Its own state is a local file.

data "aws_caller_identity" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
}

# The zone comes first, so that it can be delegated before certificates are validated.
resource "aws_route53_zone" "this" {
  name    = var.zone_name
  comment = "Birthday API"
}

# Only Amazon issues certificates for the zone.
resource "aws_route53_record" "caa" {
  zone_id = aws_route53_zone.this.zone_id
  name    = var.zone_name
  type    = "CAA"
  ttl     = 3600
  records = ["0 issue \"amazon.com\"", "0 issuewild \";\""]
}

module "registry" {
  source = "../modules/registry"

  name                = var.repository_name
  deletion_protection = var.deletion_protection
}
