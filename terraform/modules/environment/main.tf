# One environment, from network to alarms.

data "aws_caller_identity" "current" {}

data "aws_route53_zone" "this" {
  name = var.zone_name
}

data "aws_ecr_repository" "this" {
  name = var.repository_name
}

locals {
  name       = "${var.project}-${var.environment}"
  account_id = data.aws_caller_identity.current.account_id

  # Created by terraform/bootstrap.
  permissions_boundary_arn = "arn:aws:iam::${local.account_id}:policy/${var.project}-boundary-${var.environment}"
  operator_role_arn        = "arn:aws:iam::${local.account_id}:role/${var.project}-operator"

  master_username = "birthday_admin"
}

module "network" {
  source = "../network"

  name                     = local.name
  cidr_block               = var.network.cidr_block
  availability_zones       = var.availability_zones
  single_nat_gateway       = var.network.single_nat_gateway
  interface_endpoints      = var.network.interface_endpoints
  log_retention_days       = var.log_retention_days
  log_key_arn              = module.observability.log_key_arn
  permissions_boundary_arn = local.permissions_boundary_arn
}

module "cluster" {
  source = "../cluster"

  name                            = local.name
  kubernetes_version              = var.kubernetes_version
  release_version                 = var.release_version
  addon_versions                  = var.addon_versions
  subnet_ids                      = module.network.subnet_ids["application"]
  control_plane_security_group_id = module.network.security_group_ids["control_plane"]
  node_security_group_id          = module.network.security_group_ids["nodes"]
  public_access_cidrs             = var.kubernetes_api_cidrs
  node_groups                     = var.node_groups
  administrator_role_arns         = { operator = local.operator_role_arn }
  log_retention_days              = var.log_retention_days
  log_key_arn                     = module.observability.log_key_arn
  deletion_protection             = var.deletion_protection
  permissions_boundary_arn        = local.permissions_boundary_arn
}

# The master password is generated here, stored in Secrets Manager, and read back
# from there for the database: both have the same one even if an apply stops in
# between. None of the three steps leaves it in plan or state.
ephemeral "aws_secretsmanager_random_password" "master" {
  password_length     = 40
  exclude_punctuation = true
}

ephemeral "aws_secretsmanager_secret_version" "master" {
  # timestamp() is unknown during a plan, and so is this identifier: only an apply
  # reads the secret, and a plan needs no permission to read it.
  secret_id = timestamp() == "" ? "" : module.secrets.master_secret_id
}

module "database" {
  source = "../database"

  name                      = local.name
  engine_version            = var.database.engine_version
  replica_engine_version    = var.replica_engine_version
  apply_immediately         = var.apply_immediately
  instance_class            = var.database.instance_class
  allocated_storage_gib     = var.database.allocated_storage_gib
  max_allocated_storage_gib = var.database.max_allocated_storage_gib
  multi_az                  = var.database.multi_az
  read_replica              = var.database.read_replica
  backup_retention_days     = var.database.backup_retention_days
  max_connections           = var.database.max_connections
  connection_budget         = var.connection_budget
  master_username           = local.master_username
  master_password           = jsondecode(ephemeral.aws_secretsmanager_secret_version.master.secret_string).password
  master_password_version   = var.master_password_version
  availability_zones        = var.availability_zones
  subnet_ids                = module.network.subnet_ids["database"]
  security_group_id         = module.network.security_group_ids["database"]
  log_retention_days        = var.log_retention_days
  log_key_arn               = module.observability.log_key_arn
  deletion_protection       = var.deletion_protection
  final_snapshot            = var.final_snapshot
  permissions_boundary_arn  = local.permissions_boundary_arn
}

module "secrets" {
  source = "../secrets"

  name = local.name
  database = {
    host    = module.database.host
    port    = module.database.port
    name    = module.database.name
    project = "birthday"
  }
  master_username          = local.master_username
  master_password          = ephemeral.aws_secretsmanager_random_password.master.random_password
  master_password_version  = var.master_password_version
  rotation_package         = "${path.root}/../../build/rotation.zip"
  rotation_days            = var.rotation_days
  connection_limit         = var.connection_budget.pods * var.connection_budget.pool
  subnet_ids               = values(module.network.subnet_ids["application"])
  security_group_id        = module.network.security_group_ids["rotation"]
  log_retention_days       = var.log_retention_days
  log_key_arn              = module.observability.log_key_arn
  deletion_protection      = var.deletion_protection
  permissions_boundary_arn = local.permissions_boundary_arn
}

module "edge" {
  source = "../edge"

  name                = local.name
  domain_name         = var.domain_name
  zone_id             = data.aws_route53_zone.this.zone_id
  vpc_id              = module.network.vpc_id
  subnet_ids          = module.network.subnet_ids["public"]
  security_group_id   = module.network.security_group_ids["load_balancer"]
  gateway_port        = module.network.gateway_port
  rate_limit          = var.rate_limit
  log_retention_days  = var.log_retention_days
  log_key_arn         = module.observability.log_key_arn
  deletion_protection = var.deletion_protection
}

module "workloads" {
  source = "../workloads"

  name                     = module.cluster.name
  oidc_provider_arn        = module.cluster.oidc_provider_arn
  target_group_arn         = module.edge.target_group_arn
  secret_arns              = [module.secrets.application_secret.arn, module.secrets.owner_secret.arn]
  secrets_key_arn          = module.secrets.key_arn
  log_group_arns           = module.observability.agent_log_group_arns
  alarm_topic_arn          = module.observability.alarm_topic_arn
  alarm_key_arn            = module.observability.log_key_arn
  permissions_boundary_arn = local.permissions_boundary_arn
}

module "observability" {
  source = "../observability"

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  name               = local.name
  runbooks_url       = "https://github.com/${var.github_repository}/blob/main/docs/runbooks"
  alarm_emails       = var.alarm_emails
  log_retention_days = var.log_retention_days
  load_balancer = {
    arn_suffix              = module.edge.load_balancer_arn_suffix
    target_group_arn_suffix = module.edge.target_group_arn_suffix
    web_acl_name            = module.edge.web_acl_name
    certificate_arn         = module.edge.certificate_arn
  }
  health_check_id = module.edge.health_check_id
  database = {
    instances             = module.database.instances
    max_connections       = var.database.max_connections
    allocated_storage_gib = var.database.allocated_storage_gib
  }
  maximum_nodes       = length(var.availability_zones) * var.node_groups.max
  minimum_pods        = var.minimum_pods
  deletion_protection = var.deletion_protection
}
