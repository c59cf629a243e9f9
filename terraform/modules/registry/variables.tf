variable "name" {
  description = "Name of the repository, for example `birthday-api`."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", var.name))
    error_message = "name must be a valid ECR repository name in lower case."
  }
}

variable "retained_images" {
  description = "Tagged images that are kept; older ones are removed. Far more than any roll back needs."
  type        = number
  default     = 200

  validation {
    condition     = var.retained_images >= 20
    error_message = "retained_images must be at least 20: an image that a cluster still runs must not be removed."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the repository while it holds images."
  type        = bool
  default     = true
}
