mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  name                     = "birthday-test"
  availability_zones       = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
  log_key_arn              = "arn:aws:kms:eu-west-1:111111111111:key/11111111-2222-3333-4444-555555555555"
  permissions_boundary_arn = "arn:aws:iam::111111111111:policy/birthday-boundary"
}

run "subnets_follow_the_range" {
  command = plan

  variables {
    cidr_block = "10.7.0.0/16"
  }

  assert {
    condition     = output.subnet_cidr_blocks["database"] == ["10.7.21.0/24", "10.7.22.0/24", "10.7.23.0/24"]
    error_message = "database subnets are the blocks 21 to 23"
  }
}

run "wrong_values_are_refused" {
  command         = plan
  expect_failures = [var.cidr_block, var.availability_zones, var.interface_endpoints]

  variables {
    cidr_block          = "10.0.0.0/20"
    availability_zones  = ["eu-west-1a", "eu-west-1b", "eu-west-1b"]
    interface_endpoints = ["sts"] # the rotation function needs secretsmanager
  }
}
