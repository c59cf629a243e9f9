output "bridge" {
  description = "What the cluster's Argo CD must know of AWS: labels and annotations of its cluster Secret. `gitops/bootstrap/install` writes them there; the keys are a contract with gitops/."

  value = {
    labels = {
      environment = var.environment
      aws_region  = var.region
    }

    annotations = {
      cluster_name                      = module.cluster.name
      vpc_id                            = module.network.vpc_id
      domain_name                       = var.domain_name
      image_repository                  = data.aws_ecr_repository.this.repository_url
      target_group_arn                  = module.edge.target_group_arn
      load_balancer_controller_role_arn = module.workloads.role_arns["load-balancer-controller"]
      external_secrets_role_arn         = module.workloads.role_arns["external-secrets"]
      cluster_autoscaler_role_arn       = module.workloads.role_arns["cluster-autoscaler"]
      cloudwatch_agent_role_arn         = module.workloads.role_arns["cloudwatch-agent"]
      service_role_arn                  = module.workloads.role_arns["birthday-api"]
      alertmanager_role_arn             = module.workloads.role_arns["alertmanager"]
      alarm_topic_arn                   = module.observability.alarm_topic_arn
      database_host                     = module.database.host
      database_replica_host             = module.database.replica_host
      database_port                     = tostring(module.database.port)
      database_name                     = module.database.name
      database_secret_name              = module.secrets.application_secret.name
      database_owner_secret_name        = module.secrets.owner_secret.name
      application_log_group             = module.observability.application_log_group_name
      database_subnet_cidrs             = join(",", module.network.subnet_cidr_blocks["database"])
      public_subnet_cidrs               = join(",", module.network.subnet_cidr_blocks["public"])
    }
  }
}

output "url" {
  description = "Where the service is."
  value       = module.edge.url
}

output "kubeconfig_command" {
  description = "What gives kubectl access to the cluster, as the operator."
  value       = "aws eks update-kubeconfig --region ${var.region} --name ${module.cluster.name} --role-arn ${local.operator_role_arn}"
}
