locals {
  tags = {
    Project     = var.project
    Environment = var.environment
    ManagedBy   = "terraform/environments/${var.environment}"
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = local.tags
  }
}

# Route 53's metrics, and so the alarm on the health check, exist only there.
provider "aws" {
  alias  = "us_east_1"
  region = "us-east-1"

  default_tags {
    tags = local.tags
  }
}
