# Allowed traffic between security groups, in one table. Each flow becomes two rules:
# egress from its source and ingress to its target. Traffic without a rule is refused.

locals {
  security_groups = {
    load_balancer = "Public load balancer"
    control_plane = "EKS control plane, the side inside the VPC"
    nodes         = "EKS nodes and the pods on them"
    database      = "PostgreSQL primary, standby and replica"
    rotation      = "Secret rotation function"
    endpoints     = "Interface endpoints of AWS services"
  }

  https        = 443
  postgres     = 5432
  gateway_port = 8080 # As in gitops/apps/templates/istio-ingress.yaml.

  flows = {
    requests        = { from = "load_balancer", to = "nodes", port = local.gateway_port, why = "Requests to the ingress gateway" }
    health_checks   = { from = "load_balancer", to = "nodes", port = 15021, why = "Health checks of the ingress gateway" }
    kubelet         = { from = "control_plane", to = "nodes", port = 10250, why = "Kubelet, metrics-server and external-secrets webhooks" }
    istio_webhook   = { from = "control_plane", to = "nodes", port = 15017, why = "Webhooks of istiod" }
    istio_xds       = { from = "control_plane", to = "nodes", port = 15012, why = "Istiod over TLS" }
    lb_webhook      = { from = "control_plane", to = "nodes", port = 9443, why = "Webhook of the load balancer controller" }
    kubernetes_api  = { from = "nodes", to = "control_plane", port = local.https, why = "Kubernetes API" }
    queries         = { from = "nodes", to = "database", port = local.postgres, why = "Queries of the service" }
    node_endpoints  = { from = "nodes", to = "endpoints", port = local.https, why = "AWS APIs" }
    set_passwords   = { from = "rotation", to = "database", port = local.postgres, why = "Password rotation" }
    rotation_secret = { from = "rotation", to = "endpoints", port = local.https, why = "Secrets Manager" }
  }
}

resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:Other modules attach them; tests/rules/network.py judges who may talk to whom
  for_each = local.security_groups

  name        = "${var.name}-${replace(each.key, "_", "-")}"
  description = each.value
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-${replace(each.key, "_", "-")}" }
}

resource "aws_vpc_security_group_egress_rule" "flow" {
  for_each = local.flows

  security_group_id            = aws_security_group.this[each.value.from].id
  referenced_security_group_id = aws_security_group.this[each.value.to].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = each.value.why
}

resource "aws_vpc_security_group_ingress_rule" "flow" {
  for_each = local.flows

  security_group_id            = aws_security_group.this[each.value.to].id
  referenced_security_group_id = aws_security_group.this[each.value.from].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = each.value.why
}

# Pods on different nodes may use any port; inside the cluster the mesh and the
# NetworkPolicies restrict traffic.
resource "aws_vpc_security_group_ingress_rule" "nodes" {
  security_group_id            = aws_security_group.this["nodes"].id
  referenced_security_group_id = aws_security_group.this["nodes"].id
  ip_protocol                  = "-1"
  description                  = "Between nodes"
}

resource "aws_vpc_security_group_egress_rule" "nodes" {
  security_group_id            = aws_security_group.this["nodes"].id
  referenced_security_group_id = aws_security_group.this["nodes"].id
  ip_protocol                  = "-1"
  description                  = "Between nodes"
}

# S3 through its gateway endpoint, image registries and Git: all of them use HTTPS.
resource "aws_vpc_security_group_egress_rule" "nodes_internet" {
  security_group_id = aws_security_group.this["nodes"].id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = local.https
  to_port           = local.https
  description       = "HTTPS through the NAT gateways"
}

# The only way in from the internet. Port 80 redirects.
resource "aws_vpc_security_group_ingress_rule" "internet" {
  #checkov:skip=CKV_AWS_260:Port 80 answers with a redirect to HTTPS and nothing else
  for_each = { http = 80, https = local.https }

  security_group_id = aws_security_group.this["load_balancer"].id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
  description       = "${upper(each.key)} from everywhere"
}

# Nothing uses the VPC's default group; without rules it cannot be used by mistake.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-unused" }
}
