mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  name                     = "birthday-test"
  instance_class           = "db.m7g.large"
  master_password          = "only-for-this-test"
  master_password_version  = 1
  availability_zones       = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
  subnet_ids               = { eu-west-1a = "subnet-a", eu-west-1b = "subnet-b", eu-west-1c = "subnet-c" }
  security_group_id        = "sg-1"
  max_connections          = 200
  final_snapshot           = "birthday-test-final"
  connection_budget        = { pods = 34, pool = 4, jobs = 4, rotation = 4, people = 5 }
  log_key_arn              = "arn:aws:kms:eu-west-1:111111111111:key/11111111-2222-3333-4444-555555555555"
  permissions_boundary_arn = "arn:aws:iam::111111111111:policy/birthday-boundary"
}

run "without_a_replica_there_is_no_address_of_one" {
  command = plan

  variables {
    read_replica = false
    multi_az     = false
  }

  assert {
    condition     = output.replica_host == "" && length(aws_cloudwatch_log_group.this) == 2
    error_message = "an empty string, and no logs of it"
  }
}

run "one_connection_too_many_is_refused" {
  command         = plan
  expect_failures = [aws_db_parameter_group.this]

  variables {
    # 149 needed, 153 less 5 reserved: one is missing.
    max_connections = 153
  }
}

run "exactly_enough_connections_are_accepted" {
  command = plan

  variables {
    max_connections = 154
  }

  assert {
    condition     = local.connections_needed == 149
    error_message = "the budget"
  }
}

run "a_final_snapshot_is_apart_from_protection" {
  command = plan

  variables {
    deletion_protection = false
  }

  assert {
    condition     = !aws_db_instance.primary.deletion_protection && aws_kms_key.this.deletion_window_in_days == 7
    error_message = "it can be destroyed"
  }

  assert {
    condition     = !aws_db_instance.primary.skip_final_snapshot && aws_db_instance.primary.final_snapshot_identifier == "birthday-test-final"
    error_message = "and leaves a snapshot"
  }
}

run "a_version_without_its_minor_is_refused" {
  command         = plan
  expect_failures = [var.engine_version]

  variables {
    engine_version = "18"
  }
}

run "wrong_values_are_refused" {
  command         = plan
  expect_failures = [var.replica_engine_version, var.backup_retention_days]

  variables {
    # a replica that is older than its primary
    engine_version         = "18.10"
    replica_engine_version = "18.9"
    # no backups
    backup_retention_days = 0
  }
}
