# The public entry point: load balancer, certificate and DNS name. The
# web ACL in front of it is in waf.tf.

resource "aws_lb" "this" {
  #checkov:skip=CKV_AWS_91:Access logs hold URLs, and names are in URLs
  #checkov:skip=CKV2_AWS_76:The set against Log4j is attached: checkov does not read dynamic blocks
  name               = var.name
  load_balancer_type = "application"
  internal           = false
  subnets            = values(var.subnet_ids)
  security_groups    = [var.security_group_id]

  drop_invalid_header_fields = true
  desync_mitigation_mode     = "defensive"
  enable_deletion_protection = var.deletion_protection
  enable_zonal_shift         = true # docs/runbooks/zone-loss.md
  idle_timeout               = 30
}

# The gateway's pods, registered by the load balancer controller (TargetGroupBinding).
resource "aws_lb_target_group" "gateway" {
  #checkov:skip=CKV_AWS_378:Load balancer to gateway is inside the VPC; the mesh encrypts from the gateway on
  name                 = "${var.name}-gateway"
  vpc_id               = var.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = var.gateway_port
  deregistration_delay = 30

  health_check {
    protocol            = "HTTP"
    port                = "15021"
    path                = "/healthz/ready"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTP"
  port              = 80

  default_action {
    type = "redirect"

    redirect {
      protocol    = "HTTPS"
      port        = "443"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTPS"
  port              = 443
  certificate_arn   = aws_acm_certificate_validation.this.certificate_arn

  # TLS 1.3, and TLS 1.2 with forward secrecy and authenticated encryption only.
  ssl_policy = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"

  # Requests for other hosts come from IP scanners.
  default_action {
    type = "fixed-response"

    fixed_response {
      status_code  = "404"
      content_type = "text/plain"
    }
  }
}

resource "aws_lb_listener_rule" "service" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 10

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.gateway.arn
  }

  condition {
    host_header {
      values = [var.domain_name]
    }
  }
}

resource "aws_acm_certificate" "this" {
  domain_name       = var.domain_name
  validation_method = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "validation" {
  for_each = {
    for option in aws_acm_certificate.this.domain_validation_options : option.domain_name => option
  }

  zone_id         = var.zone_id
  name            = each.value.resource_record_name
  type            = each.value.resource_record_type
  records         = [each.value.resource_record_value]
  ttl             = 300
  allow_overwrite = true # A renewed certificate uses the same record.
}

resource "aws_acm_certificate_validation" "this" {
  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [for record in aws_route53_record.validation : record.fqdn]
}

resource "aws_route53_record" "service" {
  zone_id = var.zone_id
  name    = var.domain_name
  type    = "A"

  alias {
    name                   = aws_lb.this.dns_name
    zone_id                = aws_lb.this.zone_id
    evaluate_target_health = true
  }
}

# Route 53 checks DNS name, certificate, web ACL, mesh and service at once, from several continents.
resource "aws_route53_health_check" "service" {
  fqdn              = var.domain_name
  type              = "HTTPS"
  port              = 443
  resource_path     = "/"
  enable_sni        = true
  request_interval  = 30
  failure_threshold = 3

  tags = { Name = var.domain_name }
}
