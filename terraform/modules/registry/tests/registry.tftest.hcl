mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  name = "birthday-api"
}

run "it_can_be_deleted_where_asked" {
  command = plan

  variables {
    deletion_protection = false
  }

  assert {
    condition     = aws_ecr_repository.this.force_delete
    error_message = "with its images"
  }
}

run "wrong_values_are_refused" {
  command         = plan
  expect_failures = [var.retained_images, var.name]

  variables {
    retained_images = 5
    name            = "Birthday"
  }
}
