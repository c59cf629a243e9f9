mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  name               = "birthday-test"
  kubernetes_version = "1.35"
  release_version    = "1.35.7-20260903"
  addon_versions = {
    vpc_cni    = "v1.21.1-eksbuild.3"
    coredns    = "v1.13.2-eksbuild.1"
    kube_proxy = "v1.35.0-eksbuild.2"
    ebs_csi    = "v1.55.0-eksbuild.1"
  }
  subnet_ids                      = { eu-west-1a = "subnet-a", eu-west-1b = "subnet-b", eu-west-1c = "subnet-c" }
  control_plane_security_group_id = "sg-1"
  node_security_group_id          = "sg-2"
  node_groups                     = { instance_types = ["m7i.large"], min = 1, desired = 2, max = 4, disk_gib = 50 }
  administrator_role_arns         = { operator = "arn:aws:iam::111111111111:role/operator" }
  log_key_arn                     = "arn:aws:kms:eu-west-1:111111111111:key/11111111-2222-3333-4444-555555555555"
  permissions_boundary_arn        = "arn:aws:iam::111111111111:policy/birthday-boundary"
}

run "without_addresses_the_api_is_private" {
  command = plan

  assert {
    condition     = !aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].endpoint_private_access
    error_message = "the Kubernetes API is reached from inside only"
  }
}

run "public_addresses_are_accepted" {
  command = plan

  variables {
    public_access_cidrs = ["8.8.8.8/32", "100.63.0.1/32", "172.32.0.0/16", "198.20.0.0/24"]
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    error_message = "reached from there"
  }
}

run "wrong_values_are_refused" {
  command         = plan
  expect_failures = [var.release_version, var.addon_versions, var.public_access_cidrs, var.node_groups, var.administrator_role_arns]

  variables {
    # neither that of the nodes' release nor that of kube-proxy
    kubernetes_version = "1.34"
    # half of everything; 0.0.0.0/0 is a reserved range, too
    public_access_cidrs = ["128.0.0.0/1"]
    # a zone without nodes
    node_groups = { instance_types = ["m7i.large"], min = 0, desired = 2, max = 4, disk_gib = 50 }
    # nobody could enter the cluster
    administrator_role_arns = {}
  }
}

run "an_ended_version_and_reserved_addresses_are_refused" {
  command         = plan
  expect_failures = [var.kubernetes_version, var.public_access_cidrs]

  variables {
    kubernetes_version  = "1.30"
    public_access_cidrs = ["203.0.113.0/24"]
  }
}
