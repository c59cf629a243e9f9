variable "project" {
  description = "Prefix of every name in the account."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,12}$", var.project))
    error_message = "project must be 3 to 13 lower-case letters, digits and hyphens, starting with a letter: <project>-production-gateway is a name of 32 characters at most."
  }
}

variable "region" {
  description = "AWS region of everything but what AWS has in us-east-1 only."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]+-[0-9]$", var.region))
    error_message = "region must be an AWS region, for example eu-west-1."
  }
}

variable "state_bucket" {
  description = "Bucket of the environments' state. Bucket names are unique in all of AWS: take one of your own, here and in the environments' backend.tf."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.state_bucket))
    error_message = "state_bucket must be a bucket name of 3 to 63 lower-case letters, digits and hyphens."
  }
}

variable "zone_name" {
  description = "DNS zone of the service; production's name is its apex, staging's is staging.<zone_name>."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", var.zone_name))
    error_message = "zone_name must be a domain in lower case, for example birthday.example.com."
  }
}

variable "repository_name" {
  description = "Image repository, shared by the environments: an image is built once and promoted."
  type        = string
}

variable "github_repository" {
  description = "GitHub repository whose workflows may assume the CI roles, as owner/name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be owner/name, without patterns."
  }
}

variable "github_owner_id" {
  description = "Number of the repository's owner at GitHub; set with github_repository_id."
  type        = number
  default     = null

  validation {
    condition     = (var.github_owner_id == null) == (var.github_repository_id == null)
    error_message = "github_owner_id and github_repository_id are set together or not at all."
  }
}

variable "github_repository_id" {
  description = "Number of the repository at GitHub. With it the roles trust subjects that carry the numbers, as those of repositories made, renamed or moved since 15 July 2026 do; without it those that carry the names alone."
  type        = number
  default     = null
}

variable "create_github_oidc_provider" {
  description = "Make IAM's OIDC provider for GitHub. false where the account has it already: there is one for all repositories."
  type        = bool
  default     = true
}

variable "monthly_budget" {
  description = "US dollars that the account should cost in a month at most; mails say when four fifths are spent, and when the whole will be."
  type        = number

  validation {
    condition     = var.monthly_budget >= 1
    error_message = "monthly_budget must be at least 1."
  }
}

variable "alarm_emails" {
  description = "Addresses that get the budget's mails; AWS takes ten."
  type        = set(string)

  validation {
    condition     = length(var.alarm_emails) <= 10
    error_message = "alarm_emails must be ten addresses at most."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the state, the lock table and the images."
  type        = bool
  default     = true
}
