# The VPC, its nine subnets and their routes. The security groups are in
# security_groups.tf, the second line of defence in network_acls.tf.

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  zones = { for index, zone in var.availability_zones : zone => index + 1 }

  # A /16 has 256 /24 blocks; the block's number is the third octet.
  tiers = { public = 0, application = 10, database = 20 }
  subnets = merge([
    for tier, offset in local.tiers : {
      for zone, number in local.zones : "${tier}-${zone}" => {
        tier       = tier
        zone       = zone
        cidr_block = cidrsubnet(var.cidr_block, 8, offset + number)
      }
    }
  ]...)

  nat_zones = var.single_nat_gateway ? slice(var.availability_zones, 0, 1) : var.availability_zones
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr_block
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

resource "aws_subnet" "this" {
  for_each = local.subnets

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.value.zone
  cidr_block              = each.value.cidr_block
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-${each.key}", Tier = each.value.tier }
}

# Pods get their addresses in blocks of 16. Single addresses (nodes, endpoints, the control plane)
# would fragment the subnet until no whole block is free, so half of it is reserved for blocks.
resource "aws_ec2_subnet_cidr_reservation" "pods" {
  for_each = local.zones

  subnet_id        = aws_subnet.this["application-${each.key}"].id
  cidr_block       = cidrsubnet(local.subnets["application-${each.key}"].cidr_block, 1, 1)
  reservation_type = "prefix"
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = var.name }
}

resource "aws_eip" "nat" {
  for_each = toset(local.nat_zones)

  domain = "vpc"

  tags = { Name = "${var.name}-nat-${each.key}" }
}

resource "aws_nat_gateway" "this" {
  for_each = toset(local.nat_zones)

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.this["public-${each.key}"].id

  tags = { Name = "${var.name}-${each.key}" }

  depends_on = [aws_internet_gateway.this]
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-public" }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table" "application" {
  for_each = local.zones

  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-application-${each.key}" }
}

resource "aws_route" "nat" {
  for_each = local.zones

  route_table_id         = aws_route_table.application[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[var.single_nat_gateway ? var.availability_zones[0] : each.key].id
}

# No route leads out of the database subnets.
resource "aws_route_table" "database" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-database" }
}

resource "aws_route_table_association" "this" {
  for_each = local.subnets

  subnet_id = aws_subnet.this[each.key].id
  route_table_id = {
    public      = aws_route_table.public.id
    application = aws_route_table.application[each.value.zone].id
    database    = aws_route_table.database.id
  }[each.value.tier]
}
