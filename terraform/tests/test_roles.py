"""What the database's users may do once the rotation function has created them, and how they connect."""

import json
import re
import ssl

import pytest

from secrets_manager import MASTER, ROLES, connect, current, query, refused, rotate


def test_either_owner_makes_tables_that_the_role_owns(function, initialized, server):
    client, secrets = initialized
    for table in ("first", "second"):
        owner = current(client, secrets["birthday_owner"])
        query(server, owner, f"CREATE TABLE {table} (name text PRIMARY KEY)")
        rotate(function, client, secrets["birthday_owner"])
    owner = current(client, secrets["birthday_owner"])
    assert query(server, owner, "SELECT tablename::text, tableowner::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1") == [
        ["first", "birthday_owner"], ["second", "birthday_owner"],
    ]  # fmt: skip
    query(server, owner, "ALTER TABLE first ADD COLUMN more text")


def test_the_application_reads_and_writes_rows_and_nothing_else(initialized, server):
    client, secrets = initialized
    owner, app = (current(client, secrets[role]) for role in ROLES)
    query(server, owner, "CREATE TABLE birthdays (username text PRIMARY KEY)")
    for sql in ("INSERT INTO birthdays VALUES ('ada')", "UPDATE birthdays SET username = 'eve'", "SELECT * FROM birthdays", "DELETE FROM birthdays"):
        query(server, app, sql)
    for sql in (
        "CREATE TABLE other (n int)",
        "CREATE TEMPORARY TABLE other (n int)",
        "CREATE SCHEMA other",
        "ALTER TABLE birthdays ADD COLUMN n int",
        "DROP TABLE birthdays",
        "TRUNCATE birthdays",
        "SET ROLE birthday_owner",
        "ALTER ROLE birthday_owner_a PASSWORD 'x'",
        "CREATE ROLE other",
    ):
        assert refused(server, app, sql) == "42501", sql


def test_an_application_user_holds_no_more_connections_than_its_share(initialized, server):
    client, secrets = initialized
    app = current(client, secrets["birthday_app"])
    limit = "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'birthday_app_a'"
    assert query(server, app, limit) == [[7]]


def test_no_password_is_in_the_servers_log_or_the_functions(function, initialized, server, caplog):
    client, secrets = initialized
    for _ in range(2):
        rotate(function, client, secrets["birthday_app"])
    text = server.log.read_text()
    assert re.search(r'ALTER ROLE "?birthday_app_b"? PASSWORD', text), "statements are logged"
    for arn in secrets.values():
        for stage in ("AWSCURRENT", "AWSPREVIOUS"):
            try:
                value = client.get_secret_value(SecretId=arn, VersionStage=stage)["SecretString"]
            except client.exceptions.ResourceNotFoundException:
                continue
            assert json.loads(value)["password"] not in text + caplog.text


def test_a_server_with_another_certificate_is_refused(function, manager, server):
    """verify-full: the connection fails if the certificate does not contain the host name."""
    with pytest.raises(ssl.SSLCertVerificationError):
        with connect(server, MASTER, host="127.0.0.1"):
            pass
