variable "name" {
  description = "Prefix of every name, for example `birthday-production`. Secrets are called `<name>/database/...`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "database" {
  description = "The database whose users are rotated. `project` is the prefix of its roles."
  type = object({
    host    = string
    port    = number
    name    = string
    project = string
  })

  validation {
    condition     = can(regex("^[a-z][a-z_]*$", var.database.project))
    error_message = "database.project must be lower-case letters and underscores: role names are made of it."
  }
}

variable "master_username" {
  description = "The database's master user. The rotation function logs in as it, and people who see and end sessions."
  type        = string
}

variable "master_password" {
  description = "Password of the master user. Ephemeral: it is in no plan and no state."
  type        = string
  ephemeral   = true
}

variable "master_password_version" {
  description = "Raise it to give the master user a new password."
  type        = number

  validation {
    condition     = var.master_password_version >= 1
    error_message = "master_password_version starts at 1 and only rises."
  }
}

variable "rotation_package" {
  description = "Zip file of the rotation function, made by `terraform/package`."
  type        = string

  validation {
    condition     = endswith(var.rotation_package, ".zip")
    error_message = "rotation_package must be a .zip file; run terraform/package first."
  }
}

variable "rotation_days" {
  description = "Days between two rotations of the users' passwords."
  type        = number
  default     = 30

  validation {
    condition     = var.rotation_days >= 1 && var.rotation_days <= 90
    error_message = "rotation_days must be 1 to 90."
  }
}

variable "connection_limit" {
  description = "Connections that each application user may hold at once."
  type        = number

  validation {
    condition     = var.connection_limit >= 1
    error_message = "connection_limit must be at least 1."
  }
}

variable "subnet_ids" {
  description = "Subnets in which the rotation function runs."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the rotation function."
  type        = string
}

variable "log_retention_days" {
  description = "Days that the rotation function's logs are kept."
  type        = number
  default     = 90
}

variable "log_key_arn" {
  description = "KMS key that encrypts the rotation function's logs."
  type        = string
}

variable "deletion_protection" {
  description = "Keep deleted secrets and keys recoverable for 30 days (7 days otherwise, the shortest AWS offers with recovery)."
  type        = bool
  default     = true
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles made here."
  type        = string
}
