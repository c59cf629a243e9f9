mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  name              = "birthday-test"
  domain_name       = "birthday.example.com"
  zone_id           = "Z1"
  vpc_id            = "vpc-1"
  subnet_ids        = { eu-west-1a = "subnet-a", eu-west-1b = "subnet-b", eu-west-1c = "subnet-c" }
  security_group_id = "sg-1"
  gateway_port      = 8080
  log_key_arn       = "arn:aws:kms:eu-west-1:111111111111:key/11111111-2222-3333-4444-555555555555"
}

# The certificate's options are known only once AWS has made it.
override_resource {
  target = aws_acm_certificate.this

  values = {
    arn = "arn:aws:acm:eu-west-1:111111111111:certificate/1"
    domain_validation_options = [{
      domain_name           = "birthday.example.com"
      resource_record_name  = "_x.birthday.example.com"
      resource_record_type  = "CNAME"
      resource_record_value = "_y.acm-validations.aws"
    }]
  }
  override_during = plan
}

run "other_hosts_get_nothing" {
  command = plan

  assert {
    condition     = aws_lb_listener.https.default_action[0].type == "fixed-response" && one(one(aws_lb_listener_rule.service.condition).host_header).values == toset(["birthday.example.com"])
    error_message = "only the service's own name is served"
  }
}

run "the_rate_limit_is_a_value" {
  command = plan

  variables {
    rate_limit = 500
  }

  assert {
    condition     = one([for rule in aws_wafv2_web_acl.this.rule : rule.statement[0].rate_based_statement[0].limit if rule.name == "rate-limit"]) == 500
    error_message = "the limit reaches the rule"
  }
}

run "wrong_values_are_refused" {
  command         = plan
  expect_failures = [var.rate_limit, var.name, var.domain_name]

  variables {
    rate_limit  = 5 # below AWS's own limit
    name        = "birthday-with-a-very-long-name"
    domain_name = "Birthday.example.com"
  }
}
