# What every module's tests see of AWS.
mock_data "aws_caller_identity" {
  defaults = { account_id = "111111111111" }
}

mock_data "aws_region" {
  defaults = { id = "eu-west-1" }
}

mock_data "aws_iam_policy_document" {
  defaults = { json = "{}" }
}
