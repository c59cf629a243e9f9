# Network ACLs, the second line of defence: they match addresses and ports only,
# and still hold if a security group is opened by mistake. They are stateless, so
# the ephemeral ports of the answers are open in the other direction.

locals {
  anywhere  = "0.0.0.0/0"
  ephemeral = { from = 1024, to = 65535 }

  cidr_blocks = {
    for tier in keys(local.tiers) : tier => [
      for zone in var.availability_zones : local.subnets["${tier}-${zone}"].cidr_block
    ]
  }

  # tier => direction => rules in order; a rule's number is 100 + 10 x its index.
  network_acls = {
    public = {
      ingress = [
        { cidr = local.anywhere, from = 443, to = 443 },
        { cidr = local.anywhere, from = 80, to = 80 },
        { cidr = local.anywhere, from = local.ephemeral.from, to = local.ephemeral.to },
      ]
      egress = [
        { cidr = local.anywhere, from = 443, to = 443 },
        { cidr = local.anywhere, from = local.ephemeral.from, to = local.ephemeral.to },
      ]
    }
    application = {
      ingress = concat(
        # Nodes talk to each other on any port and protocol, DNS over UDP included.
        [for cidr in local.cidr_blocks.application : { cidr = cidr, from = 0, to = 0, protocol = "-1" }],
        [{ cidr = local.anywhere, from = local.ephemeral.from, to = local.ephemeral.to }],
      )
      egress = concat(
        [for cidr in local.cidr_blocks.application : { cidr = cidr, from = 0, to = 0, protocol = "-1" }],
        [for cidr in local.cidr_blocks.database : { cidr = cidr, from = 5432, to = 5432 }],
        [
          { cidr = local.anywhere, from = 443, to = 443 },
          { cidr = var.cidr_block, from = local.ephemeral.from, to = local.ephemeral.to },
        ],
      )
    }
    database = {
      # From the application subnets, but not from each other: replication runs on AWS's own network.
      ingress = [for cidr in local.cidr_blocks.application : { cidr = cidr, from = 5432, to = 5432 }]
      egress  = [for cidr in local.cidr_blocks.application : { cidr = cidr, from = local.ephemeral.from, to = local.ephemeral.to }]
    }
  }

  network_acl_rules = merge(flatten([
    for tier, directions in local.network_acls : [
      for direction, rules in directions : {
        for index, rule in rules : "${tier}-${direction}-${100 + 10 * index}" => merge(
          { protocol = "tcp" }, rule, { tier = tier, egress = direction == "egress", number = 100 + 10 * index }
        )
      }
    ]
  ])...)
}

resource "aws_network_acl" "this" {
  #checkov:skip=CKV2_AWS_1:They name their subnets in subnet_ids: checkov does not follow the loop
  for_each = local.tiers

  vpc_id     = aws_vpc.this.id
  subnet_ids = [for zone in var.availability_zones : aws_subnet.this["${each.key}-${zone}"].id]

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_network_acl_rule" "this" {
  for_each = local.network_acl_rules

  network_acl_id = aws_network_acl.this[each.value.tier].id
  rule_number    = each.value.number
  egress         = each.value.egress
  protocol       = each.value.protocol
  rule_action    = "allow"
  cidr_block     = each.value.cidr
  from_port      = each.value.from
  to_port        = each.value.to
}
