output "host" {
  description = "Address of the primary."
  value       = aws_db_instance.primary.address
}

output "replica_host" {
  description = "Address of the read replica, empty where there is none."
  value       = var.read_replica ? aws_db_instance.replica[0].address : ""
}

output "port" {
  description = "Port of the primary and the replica."
  value       = aws_db_instance.primary.port
}

output "name" {
  description = "Name of the database."
  value       = aws_db_instance.primary.db_name
}

output "instances" {
  description = "Identifiers of the instances: the primary, and the replica where there is one."
  value       = concat([aws_db_instance.primary.identifier], aws_db_instance.replica[*].identifier)
}
