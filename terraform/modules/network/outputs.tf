output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "subnet_ids" {
  description = "Subnets by tier (`public`, `application`, `database`), then by zone."
  value = {
    for tier in keys(local.tiers) : tier => {
      for zone in var.availability_zones : zone => aws_subnet.this["${tier}-${zone}"].id
    }
  }
}

output "public_subnet_cidr_blocks" {
  description = "CIDR blocks of the public subnets, where the load balancer is."
  value       = local.cidr_blocks.public
}

output "database_subnet_cidr_blocks" {
  description = "Address ranges of the database subnets, in the order of the zones."
  value       = local.cidr_blocks.database
}

output "security_group_ids" {
  description = "Security groups by what they stand for: `load_balancer`, `control_plane`, `nodes`, `database`, `rotation`, `endpoints`."
  value       = { for key, group in aws_security_group.this : key => group.id }
}

output "gateway_port" {
  description = "Port on which the ingress gateway's pods may be reached by the load balancer."
  value       = var.gateway_port
}
