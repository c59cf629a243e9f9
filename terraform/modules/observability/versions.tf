terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"

      # Route 53 publishes its metrics in us-east-1 only.
      configuration_aliases = [aws, aws.us_east_1]
    }
  }
}
