variable "name" {
  description = "Name of the role."
  type        = string
}

variable "oidc_provider_arn" {
  description = "IAM OIDC provider of the cluster."
  type        = string

  validation {
    condition     = strcontains(var.oidc_provider_arn, ":oidc-provider/")
    error_message = "oidc_provider_arn must be the ARN of an IAM OIDC provider."
  }
}

variable "namespace" {
  description = "Namespace of the service account that may assume the role."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", var.namespace))
    error_message = "namespace must be one Kubernetes name; a pattern would let other service accounts in."
  }
}

variable "service_account" {
  description = "Service account that may assume the role."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", var.service_account))
    error_message = "service_account must be one Kubernetes name; a pattern would let other service accounts in."
  }
}

variable "policy" {
  description = "What the service account may do: an IAM policy document in JSON."
  type        = string
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the role."
  type        = string
}
