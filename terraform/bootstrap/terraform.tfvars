project           = "birthday"
region            = "eu-west-1"
state_bucket      = "birthday-terraform-state-111111111111"
zone_name         = "birthday.example.com"
repository_name   = "birthday-api"
github_repository = "birthday-api/birthday-api"
alarm_emails      = []
# Both environments cost about 1,760 a month without traffic, requests and logs (terraform/README.md). The first mail comes at
# four fifths of the budget.
monthly_budget = 3000
