# PostgreSQL: the primary with its standby, and a read replica in the third zone.

data "aws_caller_identity" "current" {}

locals {
  family = "postgres${split(".", var.engine_version)[0]}"

  # Connections that PostgreSQL and RDS reserve: superuser_reserved_connections and rds.rds_superuser_reserved_connections.
  reserved_connections = 3 + 2

  budget = var.connection_budget
  # Both users of a rotating pair may be logged in while the pods switch to the new one; both share a pod's pool.
  connections_needed = local.budget.pods * local.budget.pool + local.budget.jobs + local.budget.rotation + local.budget.people

  # An RDS subnet group needs two zones; the instance's zone says which of them is used.
  replica_subnet_ids = [for zone in slice(var.availability_zones, 1, 3) : var.subnet_ids[zone]]

  instances = concat([var.name], var.read_replica ? ["${var.name}-replica"] : [])
}

resource "aws_kms_key" "this" {
  description             = "Database ${var.name}: storage, snapshots, Performance Insights"
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_protection ? 30 : 7

  # The account's IAM policies decide who may use the key: in a key policy "*" is this key.
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "kms:*", Resource = "*", Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.current.account_id}:root" } }]
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}-database"
  target_key_id = aws_kms_key.this.key_id
}

resource "aws_db_subnet_group" "primary" {
  name        = "${var.name}-primary"
  description = "Primary and standby: zones A and B"
  subnet_ids  = [for zone in slice(var.availability_zones, 0, 2) : var.subnet_ids[zone]]
}

resource "aws_db_subnet_group" "replica" {
  count = var.read_replica ? 1 : 0

  name        = "${var.name}-replica"
  description = "Read replica: zone C (and B, because RDS asks for two)"
  subnet_ids  = local.replica_subnet_ids
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.name}-"
  family      = local.family
  description = "PostgreSQL of ${var.name}"

  dynamic "parameter" {
    for_each = local.parameters

    content {
      name         = parameter.key
      value        = parameter.value.value
      apply_method = parameter.value.apply_method
    }
  }

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = local.connections_needed <= var.max_connections - local.reserved_connections
      error_message = "The connection budget (${local.connections_needed}) exceeds max_connections (${var.max_connections}) less ${local.reserved_connections} reserved ones."
    }
  }
}

resource "aws_db_instance" "primary" {
  #checkov:skip=CKV_AWS_161:Logins are rotated passwords; IAM tokens would tie the service to AWS
  #checkov:skip=CKV_AWS_226:The minor version changes by a reviewed change of engine_version
  identifier = var.name

  engine                      = "postgres"
  engine_version              = var.engine_version
  apply_immediately           = var.apply_immediately
  auto_minor_version_upgrade  = false # Upgrades are reviewed changes of engine_version.
  allow_major_version_upgrade = false
  instance_class              = var.instance_class
  parameter_group_name        = aws_db_parameter_group.this.name
  ca_cert_identifier          = "rds-ca-rsa2048-g1"

  db_name             = "birthday"
  username            = var.master_username
  password_wo         = var.master_password
  password_wo_version = var.master_password_version
  port                = 5432

  multi_az               = var.multi_az
  availability_zone      = var.multi_az ? null : var.availability_zones[0]
  db_subnet_group_name   = aws_db_subnet_group.primary.name
  vpc_security_group_ids = [var.security_group_id]
  publicly_accessible    = false

  storage_type          = "gp3"
  allocated_storage     = var.allocated_storage_gib
  max_allocated_storage = var.max_allocated_storage_gib
  storage_encrypted     = true
  kms_key_id            = aws_kms_key.this.arn

  backup_retention_period   = var.backup_retention_days
  backup_window             = "02:00-02:30"
  maintenance_window        = "sun:03:00-sun:04:00"
  copy_tags_to_snapshot     = true
  deletion_protection       = var.deletion_protection
  delete_automated_backups  = !var.deletion_protection
  skip_final_snapshot       = var.final_snapshot == null
  final_snapshot_identifier = var.final_snapshot

  enabled_cloudwatch_logs_exports       = ["postgresql", "upgrade"]
  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  performance_insights_enabled          = true
  performance_insights_kms_key_id       = aws_kms_key.this.arn
  performance_insights_retention_period = 7

  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy_attachment.monitoring]
}

resource "aws_db_instance" "replica" {
  #checkov:skip=CKV_AWS_157:The replica is one instance; the primary has the standby
  #checkov:skip=CKV_AWS_226:The minor version changes by a reviewed change of replica_engine_version
  count = var.read_replica ? 1 : 0

  identifier          = "${var.name}-replica"
  replicate_source_db = aws_db_instance.primary.arn # The ARN, because the replica has its own subnet group.

  engine_version             = coalesce(var.replica_engine_version, var.engine_version)
  apply_immediately          = var.apply_immediately
  auto_minor_version_upgrade = false
  instance_class             = var.instance_class
  parameter_group_name       = aws_db_parameter_group.this.name
  ca_cert_identifier         = "rds-ca-rsa2048-g1"

  multi_az               = false
  availability_zone      = var.availability_zones[2]
  db_subnet_group_name   = aws_db_subnet_group.replica[0].name
  vpc_security_group_ids = [var.security_group_id]
  publicly_accessible    = false

  storage_type          = "gp3"
  max_allocated_storage = var.max_allocated_storage_gib
  storage_encrypted     = true # With the primary's key: RDS accepts no other in the same region.

  maintenance_window    = "sun:04:30-sun:05:30"
  copy_tags_to_snapshot = true
  deletion_protection   = var.deletion_protection
  skip_final_snapshot   = true # The primary's snapshot holds everything.

  enabled_cloudwatch_logs_exports       = ["postgresql", "upgrade"]
  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  performance_insights_enabled          = true
  performance_insights_kms_key_id       = aws_kms_key.this.arn
  performance_insights_retention_period = 7

  depends_on = [aws_cloudwatch_log_group.this]
}
