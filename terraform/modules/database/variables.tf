variable "name" {
  description = "Identifier of the database instance, for example `birthday-production`; the replica's ends in `-replica`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "engine_version" {
  description = "PostgreSQL version, major and minor."
  type        = string
  default     = "18.1"

  validation {
    condition     = can(regex("^[0-9]{2}\\.[0-9]+$", var.engine_version))
    error_message = "engine_version must name a minor version, for example 18.1."
  }
}

variable "replica_engine_version" {
  description = "Version of the replica during a minor upgrade, which RDS makes on the replica first. null: the primary's."
  type        = string
  default     = null

  # Compares versions by their numbers: 18.9 is older than 18.10.
  validation {
    condition = var.replica_engine_version == null ? true : (
      split(".", var.replica_engine_version)[0] == split(".", var.engine_version)[0] &&
      tonumber(split(".", var.replica_engine_version)[1]) >= tonumber(split(".", var.engine_version)[1])
    )
    error_message = "replica_engine_version must be a minor version of the same major version, and not older than engine_version."
  }
}

variable "apply_immediately" {
  description = "Change class, storage, version and certificate when the change is applied. With false RDS waits for the maintenance window, and plans show the difference until then."
  type        = bool
  default     = true
}

variable "instance_class" {
  description = "Size of the primary, its standby and the replica. Changing it is the vertical scaling of the database."
  type        = string

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.instance_class))
    error_message = "instance_class must be an RDS class, for example db.m7g.large."
  }
}

variable "allocated_storage_gib" {
  description = "Storage at creation."
  type        = number
  default     = 20

  validation {
    condition     = var.allocated_storage_gib >= 20
    error_message = "allocated_storage_gib must be at least 20, the smallest gp3 volume of RDS."
  }
}

variable "max_allocated_storage_gib" {
  description = "Storage up to which RDS grows the volume by itself."
  type        = number
  default     = 100

  validation {
    condition     = var.max_allocated_storage_gib >= var.allocated_storage_gib * 1.1
    error_message = "max_allocated_storage_gib must exceed allocated_storage_gib by 10 %: RDS refuses less."
  }
}

variable "master_username" {
  description = "Master user. The rotation function logs in as it, and people who see and end sessions."
  type        = string
  default     = "birthday_admin"
}

variable "master_password" {
  description = "Password of the master user. Ephemeral: it is in no plan and no state."
  type        = string
  ephemeral   = true
}

variable "master_password_version" {
  description = "Raise it, with the secret's, to give the master user a new password."
  type        = number
}

variable "subnet_ids" {
  description = "Database subnets by availability zone. The primary and its standby live in the first two zones, the replica in the third."
  type        = map(string)

  validation {
    condition     = length(var.subnet_ids) == 3
    error_message = "subnet_ids must hold three zones."
  }
}

variable "availability_zones" {
  description = "The three zones in the order A, B, C."
  type        = list(string)

  validation {
    condition     = length(var.availability_zones) == 3
    error_message = "availability_zones must name three zones."
  }
}

variable "security_group_id" {
  description = "Security group of the database."
  type        = string
}

variable "multi_az" {
  description = "Keep a synchronous standby in a second zone, with automatic failover."
  type        = bool
  default     = true
}

variable "read_replica" {
  description = "Run an asynchronous read replica in the third zone."
  type        = bool
  default     = true
}

variable "max_connections" {
  description = "Connections that PostgreSQL accepts."
  type        = number

  validation {
    condition     = var.max_connections >= 20 && var.max_connections <= 5000
    error_message = "max_connections must be 20 to 5000."
  }
}

variable "connection_budget" {
  description = "Connections by who may hold them: pods at most (a rolling update's surge included) times the size of a pod's pool, jobs, the rotation function, and people."
  type = object({
    pods     = number
    pool     = number
    jobs     = number
    rotation = number
    people   = number
  })
}

variable "backup_retention_days" {
  description = "Days for which the database can be restored to any second."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35
    error_message = "backup_retention_days must be 1 to 35: a replica needs backups."
  }
}

variable "log_retention_days" {
  description = "Days that PostgreSQL's logs are kept."
  type        = number
  default     = 90
}

variable "log_key_arn" {
  description = "KMS key that encrypts the logs."
  type        = string
}

variable "deletion_protection" {
  description = "Refuse to delete the database, and keep its backups when it is deleted after all."
  type        = bool
  default     = true
}

variable "final_snapshot" {
  description = "Name of the snapshot that RDS takes when the database is deleted. It must be new. null: none, and the data is gone."
  type        = string

  validation {
    condition     = var.final_snapshot == null ? true : can(regex("^[a-z](-?[a-z0-9])*$", var.final_snapshot))
    error_message = "final_snapshot must be letters, digits and single hyphens, starting with a letter."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles made here."
  type        = string
}
