# Shared by both root modules: the providers, and one call of modules/environment.
# environments/staging and environments/production link to these files; their own files
# are backend.tf and terraform.tfvars.

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

# Route 53's metrics, and so the alarm on the health check, exist only in us-east-1.
provider "aws" {
  alias  = "us_east_1"
  region = "us-east-1"

  default_tags {
    tags = local.tags
  }
}

module "environment" {
  source = "../../modules/environment"

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  project                 = var.project
  environment             = var.environment
  region                  = var.region
  availability_zones      = var.availability_zones
  zone_name               = var.zone_name
  domain_name             = var.domain_name
  repository_name         = var.repository_name
  network                 = var.network
  kubernetes_version      = var.kubernetes_version
  release_version         = var.release_version
  addon_versions          = var.addon_versions
  node_groups             = var.node_groups
  kubernetes_api_cidrs    = var.kubernetes_api_cidrs
  database                = var.database
  replica_engine_version  = var.replica_engine_version
  apply_immediately       = var.apply_immediately
  final_snapshot          = var.final_snapshot
  connection_budget       = var.connection_budget
  master_password_version = var.master_password_version
  rotation_days           = var.rotation_days
  rate_limit              = var.rate_limit
  minimum_pods            = var.minimum_pods
  github_repository       = var.github_repository
  alarm_emails            = var.alarm_emails
  log_retention_days      = var.log_retention_days
  deletion_protection     = var.deletion_protection
}
