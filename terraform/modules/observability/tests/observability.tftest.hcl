mock_provider "aws" {
  source = "../../tests/mocks"
}

mock_provider "aws" {
  alias = "us_east_1"
}

variables {
  name         = "birthday-test"
  runbooks_url = "https://example.com/runbooks"
  load_balancer = {
    arn_suffix              = "app/birthday-test/1"
    target_group_arn_suffix = "targetgroup/birthday-test/1"
    web_acl_name            = "birthday-test"
    certificate_arn         = "arn:aws:acm:eu-west-1:111111111111:certificate/1"
  }
  health_check_id = "1"
  database        = { instances = ["birthday-test", "birthday-test-replica"], max_connections = 200, allocated_storage_gib = 50 }
  maximum_nodes   = 12
  minimum_pods    = 6
}

# terraform/tests/test_alarms.py takes the alarms from this first plan and says when each rings.
run "mail_goes_to_both_topics" {
  command = plan

  variables {
    alarm_emails = ["operations@example.com"]
  }

  assert {
    condition     = length(aws_sns_topic_subscription.email) == 1 && length(aws_sns_topic_subscription.global_email) == 1
    error_message = "the health check's alarm is in us-east-1"
  }
}

run "without_a_replica_nothing_lags" {
  command = plan

  variables {
    database = { instances = ["birthday-test"], max_connections = 100, allocated_storage_gib = 20 }
  }

  assert {
    condition     = length([for name, alarm in aws_cloudwatch_metric_alarm.this : name if strcontains(name, "replica")]) == 0
    error_message = "no alarm on what does not exist"
  }
}

run "something_else_than_an_address_is_refused" {
  command         = plan
  expect_failures = [var.alarm_emails]

  variables {
    alarm_emails = ["operations"]
  }
}
