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

run "wrong_values_are_refused" {
  command         = plan
  expect_failures = [var.namespace, var.service_account, var.oidc_provider_arn]

  variables {
    namespace         = "*"
    service_account   = "external-*"
    oidc_provider_arn = "arn:aws:iam::111111111111:role/x"
  }
}
