mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  name                     = "birthday-test"
  database                 = { host = "db.example.com", port = 5432, name = "birthday", project = "birthday" }
  master_username          = "birthday_admin"
  master_password          = "only-for-this-test"
  master_password_version  = 1
  rotation_package         = "../../build/rotation.zip"
  connection_limit         = 136
  subnet_ids               = ["subnet-a", "subnet-b"]
  security_group_id        = "sg-1"
  log_key_arn              = "arn:aws:kms:eu-west-1:111111111111:key/11111111-2222-3333-4444-555555555555"
  permissions_boundary_arn = "arn:aws:iam::111111111111:policy/birthday-boundary"
}

run "the_function_runs_inside_the_vpc" {
  command = plan

  assert {
    condition     = toset(aws_lambda_function.rotation.vpc_config[0].subnet_ids) == toset(["subnet-a", "subnet-b"])
    error_message = "where the database is reached"
  }

  assert {
    condition     = aws_lambda_invocation.initialize.triggers["connection_limit"] == "136"
    error_message = "another limit reaches the database at once"
  }
}

run "wrong_values_are_refused" {
  command         = plan
  expect_failures = [var.rotation_days, var.database]

  variables {
    rotation_days = 365
    # SQL would have to quote this project
    database = { host = "db.example.com", port = 5432, name = "birthday", project = "birthday-api" }
  }
}
