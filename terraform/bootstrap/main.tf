# What the environments share and need before they can be applied: their state
# (state.tf), the DNS zone, the image repository, and the permissions
# (github.tf, operator.tf, boundary.tf). Bootstrap's own state is a local file.

data "aws_caller_identity" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
}

# The zone comes first, so that it can be delegated before certificates are validated.
resource "aws_route53_zone" "this" {
  #checkov:skip=CKV2_AWS_38:DNSSEC needs a DS record in the parent zone, which others own: without it a signed zone gains nothing
  #checkov:skip=CKV2_AWS_39:No one uses logs of who resolved a name, and they would hold visitors' resolvers
  name    = var.zone_name
  comment = "Birthday API"
}

# Only Amazon may issue certificates for the zone.
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

# For the whole account: costs by tag need a tag that somebody activated for billing a day earlier.
resource "aws_budgets_budget" "account" {
  name         = "${var.project}-account"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_unit   = "USD"
  limit_amount = tostring(var.monthly_budget)

  # AWS refuses a notification without an address.
  dynamic "notification" {
    for_each = length(var.alarm_emails) > 0 ? { ACTUAL = 80, FORECASTED = 100 } : {}

    content {
      notification_type          = notification.key
      threshold                  = notification.value
      threshold_type             = "PERCENTAGE"
      comparison_operator        = "GREATER_THAN"
      subscriber_email_addresses = var.alarm_emails
    }
  }
}
