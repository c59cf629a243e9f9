provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project     = var.project
      Environment = "shared" # No environment's apply role changes what is tagged as another's.
      ManagedBy   = "terraform/bootstrap"
    }
  }
}
