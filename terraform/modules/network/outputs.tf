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

  # Resources in a subnet need its routes and rules: a public load balancer an internet
  # gateway, nodes a route to the registry, the rotation function its endpoint. These are
  # created before such resources and destroyed after them.
  depends_on = [
    aws_ec2_subnet_cidr_reservation.pods,
    aws_network_acl_rule.this,
    aws_route.internet,
    aws_route.nat,
    aws_route_table_association.this,
    aws_vpc_endpoint.interface,
    aws_vpc_endpoint.s3,
    aws_vpc_security_group_egress_rule.flow,
    aws_vpc_security_group_egress_rule.nodes,
    aws_vpc_security_group_egress_rule.nodes_internet,
    aws_vpc_security_group_ingress_rule.flow,
    aws_vpc_security_group_ingress_rule.internet,
    aws_vpc_security_group_ingress_rule.nodes,
  ]
}

output "subnet_cidr_blocks" {
  description = "Address ranges of the subnets by tier, in the order of the zones."
  value       = local.cidr_blocks
}

output "security_group_ids" {
  description = "Security groups by what they stand for: `load_balancer`, `control_plane`, `nodes`, `database`, `rotation`, `endpoints`."
  value       = { for key, group in aws_security_group.this : key => group.id }
}

output "gateway_port" {
  description = "Port on which the ingress gateway's pods may be reached by the load balancer."
  value       = local.gateway_port
}
