variable "project" {
  description = "Prefix of every name in the account; the one of terraform/bootstrap."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,12}$", var.project))
    error_message = "project must be 3 to 13 lower-case letters, digits and hyphens, starting with a letter: <project>-production-gateway is a name of 32 characters at most."
  }
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
  description = "AWS region; the one of terraform/bootstrap and of backend.tf."
  type        = string
}

variable "availability_zones" {
  description = "Three zones of the region, in the order A, B, C."
  type        = list(string)

  validation {
    condition     = alltrue([for zone in var.availability_zones : startswith(zone, var.region)])
    error_message = "availability_zones must be in region."
  }
}

variable "zone_name" {
  description = "DNS zone that terraform/bootstrap made."
  type        = string
}

variable "domain_name" {
  description = "Name under which the service is reached: zone_name in production, staging.<zone_name> or a name below it in staging."
  type        = string

  # The apply roles may change no other records.
  validation {
    condition     = var.environment == "production" ? var.domain_name == var.zone_name : endswith(".${var.domain_name}", ".${var.environment}.${var.zone_name}")
    error_message = "domain_name must be zone_name in production, and staging.<zone_name> or a name below it in staging."
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

variable "release_version" {
  description = "AMI release of the nodes that goes with kubernetes_version. Nodes change when it does, and only then."
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
  description = "Addresses of the people who use the Kubernetes API from outside the VPC. Empty: from inside only."
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

variable "replica_engine_version" {
  description = "PostgreSQL version of the read replica while a minor upgrade is under way: RDS upgrades it before the primary. null: the version of the primary."
  type        = string
  default     = null
}

variable "apply_immediately" {
  description = "Change the database when the change is applied. With false RDS waits for the maintenance window, and plans show the difference until then."
  type        = bool
  default     = true
}

variable "final_snapshot" {
  description = "Name of the snapshot that RDS takes when the database is deleted. It must be new. null: none, and the data is gone."
  type        = string
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
  description = "Pods of the service below which the alarm fires."
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

  validation {
    condition     = var.log_retention_days >= 1 && var.log_retention_days <= 731
    error_message = "log_retention_days must be 1 to 731: logs are not kept for ever. CloudWatch Logs offers 30, 90, 365 and some more."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete database and load balancer. Apply it as false before a destroy: docs/runbooks/tear-down.md."
  type        = bool
  default     = true
}
