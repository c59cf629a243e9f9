# VPC endpoints: AWS services without the NAT gateways.

locals {
  application_subnet_ids = [for zone in var.availability_zones : aws_subnet.this["application-${zone}"].id]
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${data.aws_region.current.id}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [for table in aws_route_table.application : table.id]

  tags = { Name = "${var.name}-s3" }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.interface_endpoints

  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${data.aws_region.current.id}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  # With one NAT gateway the zones already depend on each other, so one subnet is enough.
  subnet_ids         = var.single_nat_gateway ? slice(local.application_subnet_ids, 0, 1) : local.application_subnet_ids
  security_group_ids = [aws_security_group.this["endpoints"].id]

  tags = { Name = "${var.name}-${each.key}" }
}
