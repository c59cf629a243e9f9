mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  name                     = "birthday-test-external-secrets"
  oidc_provider_arn        = "arn:aws:iam::111111111111:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
  namespace                = "external-secrets"
  service_account          = "external-secrets"
  policy                   = "{}"
  permissions_boundary_arn = "arn:aws:iam::111111111111:policy/birthday-boundary"
}

run "a_pattern_for_a_namespace_is_refused" {
  command         = plan
  expect_failures = [var.namespace]

  variables {
    namespace = "*"
  }
}

run "a_pattern_for_a_service_account_is_refused" {
  command         = plan
  expect_failures = [var.service_account]

  variables {
    service_account = "external-*"
  }
}

run "something_else_than_an_oidc_provider_is_refused" {
  command         = plan
  expect_failures = [var.oidc_provider_arn]

  variables {
    oidc_provider_arn = "arn:aws:iam::111111111111:role/x"
  }
}
