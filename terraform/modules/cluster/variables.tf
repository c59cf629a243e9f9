variable "name" {
  description = "Name of the cluster, for example `birthday-production`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "kubernetes_version" {
  description = "Kubernetes minor version of the control plane and the nodes. Raise it by one minor at a time."
  type        = string

  validation {
    condition     = can(regex("^1\\.(3[1-9]|[4-9][0-9])$", var.kubernetes_version))
    error_message = "kubernetes_version must be a minor version from 1.31 on, for example 1.35."
  }
}

variable "release_version" {
  description = "AMI release of the nodes, for example `1.35.7-20260903`. A new release is a new line here: EKS changes nodes for nothing else but a new Kubernetes version."
  type        = string

  validation {
    condition     = can(regex("^1\\.[0-9]+\\.[0-9]+-[0-9]{8}$", var.release_version)) && startswith(var.release_version, "${var.kubernetes_version}.")
    error_message = "release_version must be a release of kubernetes_version, for example 1.35.7-20260903."
  }
}

variable "addon_versions" {
  description = "Exact version of each EKS add-on that goes with `kubernetes_version`."
  type = object({
    vpc_cni    = string
    coredns    = string
    kube_proxy = string
    ebs_csi    = string
  })

  validation {
    condition     = alltrue([for version in values(var.addon_versions) : can(regex("^v[0-9]+\\.[0-9]+\\.[0-9]+-eksbuild\\.[0-9]+$", version))])
    error_message = "addon_versions must be exact, for example v1.13.2-eksbuild.1."
  }

  validation {
    condition     = startswith(var.addon_versions.kube_proxy, "v${var.kubernetes_version}.")
    error_message = "addon_versions.kube_proxy must be of the same minor version as kubernetes_version."
  }
}

variable "subnet_ids" {
  description = "Application subnets by availability zone: a node group is made in each."
  type        = map(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must span at least two zones: EKS asks for it."
  }
}

variable "control_plane_security_group_id" {
  description = "Security group of the control plane's network interfaces."
  type        = string
}

variable "node_security_group_id" {
  description = "Security group of the nodes."
  type        = string
}

variable "public_access_cidrs" {
  description = "Addresses from which the Kubernetes API may be reached over the internet. Empty: only from inside the VPC."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.public_access_cidrs : can(cidrnetmask(cidr)) && tonumber(split("/", cidr)[1]) >= 16])
    error_message = "public_access_cidrs must be IPv4 ranges of at most a /16: the Kubernetes API is not for everyone."
  }

  # 10/8, 100.64/10, 127/8, 169.254/16, 172.16/12, 192.168/16, and the ranges for documentation, benchmarks and multicast.
  validation {
    condition = !anytrue([
      for cidr in var.public_access_cidrs :
      can(regex("^(0|10|127|22[4-9]|2[345][0-9])\\.|^100\\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\\.|^169\\.254\\.|^172\\.(1[6-9]|2[0-9]|3[01])\\.|^192\\.168\\.|^192\\.0\\.[02]\\.|^198\\.(1[89]|51\\.100)\\.|^203\\.0\\.113\\.", cidr))
    ])
    error_message = "public_access_cidrs must be public addresses: EKS refuses reserved ranges."
  }
}

variable "node_groups" {
  description = "Size of the node group of each zone. `desired` counts at creation only: afterwards the cluster autoscaler owns it. EKS refuses a `min` above the number of nodes that there are, and a `max` below it."
  type = object({
    instance_types = list(string)
    min            = number
    desired        = number
    max            = number
    disk_gib       = number
  })

  validation {
    condition     = var.node_groups.min >= 1 && var.node_groups.min <= var.node_groups.desired && var.node_groups.desired <= var.node_groups.max
    error_message = "node_groups must hold 1 <= min <= desired <= max: every zone keeps a node."
  }
}

variable "administrator_role_arns" {
  description = "IAM roles that administer the cluster, by a name of your choice. The person who runs Terraform gets no access by doing so."
  type        = map(string)

  validation {
    condition     = length(var.administrator_role_arns) > 0
    error_message = "administrator_role_arns must name a role, or no one could enter the cluster."
  }
}

variable "log_retention_days" {
  description = "Days that control plane logs are kept."
  type        = number
  default     = 90
}

variable "log_key_arn" {
  description = "KMS key that encrypts the control plane logs."
  type        = string
}

variable "deletion_protection" {
  description = "Keep encrypted data recoverable for 30 days after the key was scheduled for deletion (7 days otherwise)."
  type        = bool
  default     = true
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles made here."
  type        = string
}
