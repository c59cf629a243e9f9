project            = "birthday"
environment        = "production"
region             = "eu-west-1"
availability_zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
zone_name          = "birthday.example.com"
domain_name        = "birthday.example.com"
repository_name    = "birthday-api"
github_repository  = "birthday-api/birthday-api"

network = {
  cidr_block          = "10.0.0.0/16"
  single_nat_gateway  = false
  interface_endpoints = ["secretsmanager", "ecr.api", "ecr.dkr", "sts", "logs"]
}

# 1.35 is in standard support until 2027-03-27.
kubernetes_version = "1.35"
release_version    = "1.35.7-20260903"
addon_versions = {
  vpc_cni    = "v1.21.1-eksbuild.3"
  coredns    = "v1.13.2-eksbuild.1"
  kube_proxy = "v1.35.0-eksbuild.2"
  ebs_csi    = "v1.55.0-eksbuild.1"
}

node_groups = {
  instance_types = ["m7i.large"]
  min            = 1
  desired        = 2
  max            = 4
  disk_gib       = 50
}

# Your own address, for example ["<address>/32"].
kubernetes_api_cidrs = []

database = {
  engine_version            = "18.1"
  instance_class            = "db.m7g.large"
  allocated_storage_gib     = 50
  max_allocated_storage_gib = 500
  multi_az                  = true
  read_replica              = true
  backup_retention_days     = 14
  max_connections           = 200
}
final_snapshot = "birthday-production-final"

# 12 stable and 12 canary pods, each a third more while an update rolls.
connection_budget = {
  pods     = 34
  pool     = 4
  jobs     = 4
  rotation = 4
  people   = 5
}

rate_limit         = 2000
minimum_pods       = 6
alarm_emails       = []
log_retention_days = 365
