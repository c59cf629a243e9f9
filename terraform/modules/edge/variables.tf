variable "name" {
  description = "Prefix of every name, for example `birthday-production`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name))
    error_message = "name must be 3 to 24 lower-case letters, digits and hyphens: <name>-gateway is a name of 32 characters at most."
  }
}

variable "domain_name" {
  description = "Name under which the service is reached."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", var.domain_name))
    error_message = "domain_name must be a host name in lower case, for example birthday.example.com."
  }
}

variable "zone_id" {
  description = "Route 53 zone that holds domain_name."
  type        = string
}

variable "vpc_id" {
  description = "VPC of the load balancer and its targets."
  type        = string
}

variable "subnet_ids" {
  description = "Public subnets by availability zone; the load balancer has a node in each."
  type        = map(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must span at least two zones: an application load balancer asks for it."
  }
}

variable "security_group_id" {
  description = "Security group of the load balancer."
  type        = string
}

variable "gateway_port" {
  description = "Port on which the ingress gateway's pods take requests."
  type        = number
}

variable "rate_limit" {
  description = "Requests that one address may make in five minutes."
  type        = number
  default     = 2000

  validation {
    condition     = var.rate_limit >= 10 && var.rate_limit <= 2000000000
    error_message = "rate_limit must be 10 to 2,000,000,000, the range of AWS WAF."
  }
}

variable "log_retention_days" {
  description = "Days that the web ACL's logs are kept."
  type        = number
  default     = 90
}

variable "log_key_arn" {
  description = "KMS key that encrypts the logs."
  type        = string
}

variable "deletion_protection" {
  description = "Refuse to delete the load balancer."
  type        = bool
  default     = true
}
