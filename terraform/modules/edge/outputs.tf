output "target_group_arn" {
  description = "Target group of the ingress gateway's pods, for the TargetGroupBinding."
  value       = aws_lb_target_group.gateway.arn
}

output "load_balancer_arn_suffix" {
  description = "How CloudWatch names the load balancer."
  value       = aws_lb.this.arn_suffix
}

output "target_group_arn_suffix" {
  description = "How CloudWatch names the target group."
  value       = aws_lb_target_group.gateway.arn_suffix
}

output "web_acl_name" {
  description = "How CloudWatch names the web ACL."
  value       = aws_wafv2_web_acl.this.name
}

output "certificate_arn" {
  description = "The public certificate."
  value       = aws_acm_certificate.this.arn
}

output "health_check_id" {
  description = "Route 53 health check of the service."
  value       = aws_route53_health_check.service.id
}

output "url" {
  description = "Where the service is."
  value       = "https://${var.domain_name}"
}
