project           = "birthday"
region            = "eu-west-1"
state_bucket      = "birthday-terraform-state-111111111111"
zone_name         = "birthday.example.com"
repository_name   = "birthday-api"
github_repository = "birthday-api/birthday-api"
alarm_emails      = []
# Both environments cost about 1,760 a month (terraform/README.md).
monthly_budget = 2000
