variable "project" {
  description = "Prefix of every name in the account; the one of terraform/bootstrap."
  type        = string
}

variable "environment" {
  description = "Name of the environment."
  type        = string

  validation {
    condition     = contains(["staging", "production"], var.environment)
    error_message = "environment must be staging or production."
  }
}

variable "region" {
  description = "AWS region."
  type        = string
}

variable "availability_zones" {
  description = "The region's three zones, in the order A, B, C."
  type        = list(string)
}

variable "zone_name" {
  description = "DNS zone that terraform/bootstrap made."
  type        = string
}

variable "domain_name" {
  description = "Name under which the service is reached; in zone_name."
  type        = string

  validation {
    condition     = var.domain_name == var.zone_name || endswith(var.domain_name, ".${var.zone_name}")
    error_message = "domain_name must be zone_name or end in it."
  }
}

variable "repository_name" {
  description = "Image repository that terraform/bootstrap made."
  type        = string
}

variable "network" {
  description = "Address range and what the way out costs: see modules/network."
  type = object({
    cidr_block          = string
    single_nat_gateway  = bool
    interface_endpoints = set(string)
  })
}

variable "kubernetes_version" {
  description = "Kubernetes minor version; docs/runbooks/eks-upgrade.md raises it."
  type        = string
}

variable "addon_versions" {
  description = "EKS add-on versions that go with kubernetes_version."
  type = object({
    vpc_cni    = string
    coredns    = string
    kube_proxy = string
    ebs_csi    = string
  })
}

variable "node_groups" {
  description = "Size of the node group of each zone."
  type = object({
    instance_types = list(string)
    min            = number
    desired        = number
    max            = number
    disk_gib       = number
  })
}

variable "kubernetes_api_cidrs" {
  description = "Addresses of the people who use the Kubernetes API from outside the VPC."
  type        = list(string)
}

variable "database" {
  description = "Size and redundancy of PostgreSQL: see modules/database."
  type = object({
    engine_version            = string
    instance_class            = string
    allocated_storage_gib     = number
    max_allocated_storage_gib = number
    multi_az                  = bool
    read_replica              = bool
    backup_retention_days     = number
    max_connections           = number
  })
}

variable "connection_budget" {
  description = "Who may hold how many database connections; the plan fails where they exceed database.max_connections."
  type = object({
    pods     = number
    pool     = number
    jobs     = number
    rotation = number
    people   = number
  })
}

variable "master_password_version" {
  description = "Raise it to give the database's master user a new password."
  type        = number
  default     = 1
}

variable "rotation_days" {
  description = "Days between two rotations of the database users' passwords."
  type        = number
  default     = 30
}

variable "rate_limit" {
  description = "Requests that one address may make in five minutes."
  type        = number
}

variable "minimum_pods" {
  description = "Pods of the service below which the alarm rings."
  type        = number
}

variable "github_repository" {
  description = "Repository whose docs/runbooks the alarms name, as owner/name; the one of terraform/bootstrap."
  type        = string
}

variable "alarm_emails" {
  description = "Addresses that get the alarms."
  type        = set(string)
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
}

variable "deletion_protection" {
  description = "Refuse to delete database and load balancer. Apply it as false before a destroy: docs/runbooks/tear-down.md."
  type        = bool
  default     = true
}
