variable "name" {
  description = "Prefix of every name, for example `birthday-production`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "cidr_block" {
  description = "Address range of the VPC. It must be a /16: subnets are the /24 blocks 1-3 (public), 11-13 (application) and 21-23 (database) of it."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.cidr_block)) && endswith(var.cidr_block, "/16")
    error_message = "cidr_block must be an IPv4 range with a /16 mask, for example 10.0.0.0/16."
  }
}

variable "availability_zones" {
  description = "Exactly three zones, in the order A, B, C."
  type        = list(string)

  validation {
    condition     = length(distinct(var.availability_zones)) == 3 && length(var.availability_zones) == 3
    error_message = "availability_zones must name three different zones."
  }
}

variable "single_nat_gateway" {
  description = "One NAT gateway for all zones (cheaper, and a zone's outage can take the others' way out with it) instead of one per zone."
  type        = bool
  default     = false
}

variable "interface_endpoints" {
  description = "AWS services reached through an interface endpoint inside the VPC, by the last part of their service name. `secretsmanager` is always needed: the rotation function has no other way out."
  type        = set(string)
  default     = ["secretsmanager", "ecr.api", "ecr.dkr", "sts", "logs"]

  validation {
    condition     = contains(var.interface_endpoints, "secretsmanager")
    error_message = "interface_endpoints must contain secretsmanager: the rotation function reaches nothing else."
  }
}

variable "log_retention_days" {
  description = "Days that VPC flow logs are kept."
  type        = number
  default     = 90
}

variable "log_key_arn" {
  description = "KMS key that encrypts the flow logs."
  type        = string
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles made here."
  type        = string
}
