mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  name                     = "birthday-test"
  oidc_provider_arn        = "arn:aws:iam::111111111111:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
  target_group_arn         = "arn:aws:elasticloadbalancing:eu-west-1:111111111111:targetgroup/gateway/1"
  secret_arns              = ["arn:aws:secretsmanager:eu-west-1:111111111111:secret:birthday-test/database/application-abcdef"]
  secrets_key_arn          = "arn:aws:kms:eu-west-1:111111111111:key/11111111-2222-3333-4444-555555555555"
  log_group_arns           = ["arn:aws:logs:eu-west-1:111111111111:log-group:/birthday/test"]
  alarm_topic_arn          = "arn:aws:sns:eu-west-1:111111111111:birthday-test-alarms"
  alarm_key_arn            = "arn:aws:kms:eu-west-1:111111111111:key/66666666-7777-8888-9999-000000000000"
  permissions_boundary_arn = "arn:aws:iam::111111111111:policy/birthday-boundary"
}

run "wrong_values_are_refused" {
  command         = plan
  expect_failures = [var.secret_arns, var.log_group_arns, var.target_group_arn, var.alarm_topic_arn]

  # patterns
  variables {
    secret_arns      = ["arn:aws:secretsmanager:eu-west-1:111111111111:secret:birthday-test/*"]
    log_group_arns   = ["arn:aws:logs:eu-west-1:111111111111:log-group:*"]
    target_group_arn = "*"
    alarm_topic_arn  = "arn:aws:sns:eu-west-1:111111111111:*"
  }
}
