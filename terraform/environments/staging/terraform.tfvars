project            = "birthday"
environment        = "staging"
region             = "eu-west-1"
availability_zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
zone_name          = "birthday.example.com"
domain_name        = "staging.birthday.example.com"
repository_name    = "birthday-api"
github_repository  = "birthday-api/birthday-api"

network = {
  cidr_block          = "10.0.0.0/16"
  single_nat_gateway  = true
  interface_endpoints = ["secretsmanager"]
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
  instance_types = ["t3.large"]
  min            = 1
  desired        = 1
  max            = 2
  disk_gib       = 50
}

# Your own address, for example ["<address>/32"].
kubernetes_api_cidrs = []

database = {
  engine_version            = "18.1"
  instance_class            = "db.t4g.medium"
  allocated_storage_gib     = 20
  max_allocated_storage_gib = 100
  multi_az                  = false
  read_replica              = false
  backup_retention_days     = 3
  max_connections           = 100
}
final_snapshot = null

# 4 stable and 4 canary pods, each a third more while an update rolls.
connection_budget = {
  pods     = 12
  pool     = 4
  jobs     = 4
  rotation = 4
  people   = 5
}

rate_limit         = 2000
minimum_pods       = 2
alarm_emails       = []
log_retention_days = 30
