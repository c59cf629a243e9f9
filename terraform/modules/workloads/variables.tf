variable "name" {
  description = "Prefix of the roles' names and the name of the cluster, for example `birthday-production`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "oidc_provider_arn" {
  description = "IAM OIDC provider of the cluster."
  type        = string
}

variable "target_group_arn" {
  description = "Target group into which the load balancer controller puts the gateway's pods."
  type        = string

  validation {
    condition     = strcontains(var.target_group_arn, ":targetgroup/")
    error_message = "target_group_arn must be the ARN of a target group."
  }
}

variable "secret_arns" {
  description = "Secrets that external-secrets may read."
  type        = list(string)

  validation {
    condition     = length(var.secret_arns) > 0 && alltrue([for arn in var.secret_arns : !strcontains(arn, "*")])
    error_message = "secret_arns must name each secret: no pattern."
  }
}

variable "secrets_key_arn" {
  description = "KMS key that encrypts these secrets."
  type        = string
}

variable "log_group_arns" {
  description = "Log groups that the CloudWatch agent and Fluent Bit may write to."
  type        = list(string)

  validation {
    condition     = length(var.log_group_arns) > 0 && alltrue([for arn in var.log_group_arns : !endswith(arn, "*")])
    error_message = "log_group_arns must name each log group, without a trailing :*."
  }
}

variable "alarm_topic_arn" {
  description = "Topic to which Alertmanager may publish."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be the ARN of one topic, without patterns."
  }
}

variable "alarm_key_arn" {
  description = "KMS key that encrypts this topic."
  type        = string
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles made here."
  type        = string
}
