"""PostgreSQL, its zones and its secrets."""

from . import change, edit, remove, rule


def parameters(stack):
    group = stack.one("aws_db_parameter_group")
    return {parameter["name"]: parameter["value"] for parameter in group["parameter"]}


@rule(change("aws_db_instance", "primary", engine_version="17.2"), planned=True)
def postgresql_version(stack):
    assert stack.one("aws_db_instance", "primary")["engine_version"] == "18.1"


@rule(change("aws_db_instance", "primary", multi_az=False), remove("aws_db_instance", "replica"))
def database_redundancy(stack):
    assert stack.one("aws_db_instance", "primary")["multi_az"]
    replica = stack.one("aws_db_instance", "replica")
    assert replica["replicate_source_db"]


@rule(change("aws_db_instance", "replica", availability_zone="eu-west-1a"), change("aws_db_subnet_group", "primary", subnet_ids=["elsewhere"]))
def database_zones(stack):
    """Primary and standby in A and B, the replica in C."""
    zone = {subnet["id"]: subnet["availability_zone"] for subnet in stack.all("aws_subnet", '"database-')}
    groups = {group["name"]: {zone.get(subnet) for subnet in group["subnet_ids"]} for group in stack.all("aws_db_subnet_group")}
    primary, replica = stack.one("aws_db_instance", "primary"), stack.one("aws_db_instance", "replica")
    assert groups[primary["db_subnet_group_name"]] == {"eu-west-1a", "eu-west-1b"}
    assert replica["availability_zone"] == "eu-west-1c"
    assert "eu-west-1c" in groups[replica["db_subnet_group_name"]]


@rule(
    change("aws_db_instance", "primary", backup_retention_period=0),
    change("aws_db_instance", "primary", deletion_protection=False),
    change("aws_db_instance", "primary", skip_final_snapshot=True),
)
def database_can_be_restored(stack):
    primary = stack.one("aws_db_instance", "primary")
    assert primary["backup_retention_period"] >= 7
    assert primary["deletion_protection"] and not primary["skip_final_snapshot"]
    assert primary["final_snapshot_identifier"] == "birthday-production-final"


@rule(edit("aws_db_parameter_group", parameter=('"rds.force_ssl", "value": "1"', '"rds.force_ssl", "value": "0"')), change("aws_db_instance", "primary", ca_cert_identifier="rds-ca-2019"), planned=True)
def database_takes_tls_only(stack):
    assert parameters(stack)["rds.force_ssl"] == "1"
    assert parameters(stack)["password_encryption"] == "scram-sha-256"
    assert all(instance["ca_cert_identifier"] == "rds-ca-rsa2048-g1" for instance in stack.all("aws_db_instance"))


@rule(edit("aws_db_parameter_group", parameter=('"log_parameter_max_length", "value": "0"', '"log_parameter_max_length", "value": "-1"')), planned=True)
def database_logs_no_values(stack):
    """Names and dates of birth are in bind parameters and in the details of errors."""
    found = parameters(stack)
    assert found["log_parameter_max_length"] == found["log_parameter_max_length_on_error"] == "0"
    assert found["log_error_verbosity"] == "terse"
    assert found["log_statement"] in ("none", "ddl")


@rule(
    remove("aws_secretsmanager_secret_rotation", count=1),
    change("aws_secretsmanager_secret_rotation", rotation_rules__automatically_after_days=365),
    planned=True,
)
def secrets_rotate(stack):
    assert len(stack.all("aws_secretsmanager_secret_rotation")) == 2
    for rotation in stack.all("aws_secretsmanager_secret_rotation"):
        assert rotation["rotation_rules"][0]["automatically_after_days"] <= 30


def write_to_state(stack):
    stack.one("aws_secretsmanager_secret_version")["secret_string"] = '{"password": "x"}'


@rule(write_to_state, change("aws_db_instance", "primary", password="x"), planned=True)
def passwords_are_write_only(stack):
    assert not any(instance.get("password") for instance in stack.all("aws_db_instance"))
    assert not any(version.get("secret_string") for version in stack.all("aws_secretsmanager_secret_version"))
    assert stack.one("aws_db_instance", "primary")["password_wo_version"]
