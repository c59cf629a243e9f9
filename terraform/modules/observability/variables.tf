variable "name" {
  description = "Prefix of every name, for example `birthday-production`; also the name of the cluster."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "runbooks_url" {
  description = "Where people read the runbooks: every alarm's description ends in a page of it."
  type        = string

  validation {
    condition     = can(regex("^https://.*[^/]$", var.runbooks_url))
    error_message = "runbooks_url must be an https address without a slash at its end."
  }
}

variable "alarm_emails" {
  description = "Addresses that get the alarms; each must confirm the first mail. More ways (chat, pager) subscribe to the topic."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "alarm_emails must be mail addresses."
  }
}

variable "log_retention_days" {
  description = "Days that the application's and the containers' logs are kept."
  type        = number
  default     = 90
}

variable "load_balancer" {
  description = "How CloudWatch names the load balancer, its target group, its web ACL and its certificate."
  type = object({
    arn_suffix              = string
    target_group_arn_suffix = string
    web_acl_name            = string
    certificate_arn         = string
  })
}

variable "health_check_id" {
  description = "Route 53 health check of the service."
  type        = string
}

variable "database" {
  description = "The database's instances (the primary first, then the replica), and the limits the alarms are measured against."
  type = object({
    instances             = list(string)
    max_connections       = number
    allocated_storage_gib = number
  })

  validation {
    condition     = length(var.database.instances) >= 1 && length(var.database.instances) <= 2
    error_message = "database.instances must be the primary and at most one replica."
  }
}

variable "maximum_nodes" {
  description = "Maximum number of nodes that the autoscaler may start; the alarm fires when it is reached."
  type        = number
}

variable "minimum_pods" {
  description = "Pods of the service below which the alarm fires."
  type        = number

  validation {
    condition     = var.minimum_pods >= 1
    error_message = "minimum_pods must be at least 1."
  }
}

variable "deletion_protection" {
  description = "Keep the logs' key recoverable for 30 days after it was scheduled for deletion (7 days otherwise)."
  type        = bool
  default     = true
}
