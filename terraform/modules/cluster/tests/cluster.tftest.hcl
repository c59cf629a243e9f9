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

run "an_api_for_everyone_is_refused" {
  command         = plan
  expect_failures = [var.public_access_cidrs]

  variables {
    # half of everything; 0.0.0.0/0 is a reserved range, too
    public_access_cidrs = ["128.0.0.0/1"]
  }
}

run "kube_proxy_of_another_minor_version_is_refused" {
  command         = plan
  expect_failures = [var.addon_versions]

  variables {
    kubernetes_version = "1.34"
    release_version    = "1.34.7-20260505"
  }
}

run "a_version_that_aws_ended_is_refused" {
  command         = plan
  expect_failures = [var.kubernetes_version]

  variables {
    kubernetes_version = "1.30"
    release_version    = "1.30.1-20250101"
  }
}

run "a_zone_without_nodes_is_refused" {
  command         = plan
  expect_failures = [var.node_groups]

  variables {
    node_groups = { instance_types = ["m7i.large"], min = 0, desired = 2, max = 4, disk_gib = 50 }
  }
}

run "a_cluster_that_nobody_can_enter_is_refused" {
  command         = plan
  expect_failures = [var.administrator_role_arns]

  variables {
    administrator_role_arns = {}
  }
}

run "reserved_addresses_are_refused" {
  command         = plan
  expect_failures = [var.public_access_cidrs]

  variables {
    public_access_cidrs = ["203.0.113.0/24"]
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

run "a_release_of_another_version_is_refused" {
  command         = plan
  expect_failures = [var.release_version]

  variables {
    release_version = "1.34.7-20260505"
  }
}
