# PostgreSQL's parameters. Names and dates of birth are personal data: statements
# are logged without their values.
#
# A parameter that equals the engine's default stays `pending-reboot` in RDS, whatever
# apply_method says: with `immediate` here every plan would change it again.

locals {
  parameters = {
    "rds.force_ssl"              = { value = "1", apply_method = "pending-reboot" }
    "max_connections"            = { value = tostring(var.max_connections), apply_method = "pending-reboot" }
    "password_encryption"        = { value = "scram-sha-256", apply_method = "pending-reboot" }
    "shared_preload_libraries"   = { value = "pg_stat_statements", apply_method = "pending-reboot" }
    "log_connections"            = { value = "all", apply_method = "immediate" }
    "log_disconnections"         = { value = "1", apply_method = "immediate" }
    "log_statement"              = { value = "ddl", apply_method = "immediate" }
    "log_min_duration_statement" = { value = "500", apply_method = "immediate" }
    # Bytes of each bind parameter's value in the log: 0, also when a statement fails.
    "log_parameter_max_length"          = { value = "0", apply_method = "immediate" }
    "log_parameter_max_length_on_error" = { value = "0", apply_method = "pending-reboot" }
    "log_error_verbosity"               = { value = "terse", apply_method = "immediate" }
    # Ends a session that is idle in a transaction, so that it does not hold its locks forever.
    "idle_in_transaction_session_timeout" = { value = "60000", apply_method = "immediate" }
  }
}
