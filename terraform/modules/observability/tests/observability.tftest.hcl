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

run "limits_follow_the_values" {
  command = plan

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["database-connections"].threshold == 160
    error_message = "four fifths of max_connections"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["pod-count"].threshold == 6 && aws_cloudwatch_metric_alarm.this["node-count"].threshold == 12
    error_message = "pods and nodes"
  }

  assert {
    condition     = contains(keys(aws_cloudwatch_metric_alarm.this), "database-replica-lag")
    error_message = "a replica can lag"
  }
}

run "without_a_replica_nothing_lags" {
  command = plan

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  variables {
    database = { instances = ["birthday-test"], max_connections = 100, allocated_storage_gib = 20 }
  }

  assert {
    condition     = length([for name, alarm in aws_cloudwatch_metric_alarm.this : name if strcontains(name, "replica")]) == 0
    error_message = "no alarm on what does not exist"
  }
}

run "mail_goes_to_both_topics" {
  command = plan

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  variables {
    alarm_emails = ["operations@example.com"]
  }

  assert {
    condition     = length(aws_sns_topic_subscription.email) == 1 && length(aws_sns_topic_subscription.global_email) == 1
    error_message = "the health check's alarm is in us-east-1"
  }
}

run "something_else_than_an_address_is_refused" {
  command         = plan
  expect_failures = [var.alarm_emails]

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  variables {
    alarm_emails = ["operations"]
  }
}
