"""The database's roles: their rights and their passwords.

    <project>_owner  owns the schema; <project>_owner_a and _b log in and act as it
    <project>_app    reads and writes rows; <project>_app_a and _b log in with its rights

RDS's master user is not a superuser: it creates roles and is a member of the owner,
so that it can set the rights on new tables. Everything here may run any number of times.
"""

import contextlib
import hashlib
import hmac
import os
import ssl
from base64 import b64encode
from pathlib import Path

from pg8000.native import Connection, identifier, literal

# RDS's root certificates in the region, packaged beside this file.
CA_FILE = Path(__file__).with_name("rds-ca.pem")

TIMEOUT = 10  # seconds to wait for one statement; the function itself has 60.


@contextlib.contextmanager
def connect(login, where):
    """A connection that checks the server's certificate and name (verify-full)."""
    connection = Connection(
        login["username"],
        password=login["password"],
        host=where["host"],
        port=where["port"],
        database=where["name"],
        ssl_context=ssl.create_default_context(cafile=CA_FILE),
        timeout=TIMEOUT,
        application_name="rotation",
    )
    try:
        yield connection
    finally:
        connection.close()


@contextlib.contextmanager
def connect_as_master(login, where):
    """Connects as the master user, one at a time: a lock is held until the connection closes."""
    with connect(login, where) as connection:
        connection.run("SELECT pg_advisory_lock(hashtext('rotation of passwords'))")
        yield connection


def prepare(connection, where, connection_limit):
    """Creates the roles and sets their rights."""
    owner, app = (identifier(f"{where['project']}_{kind}") for kind in ("owner", "app"))
    name = identifier(where["name"])

    for kind in ("owner", "app"):
        role = f"{where['project']}_{kind}"
        create(connection, role, "NOLOGIN")
        for user in (f"{role}_a", f"{role}_b"):
            create(connection, user, f"LOGIN IN ROLE {identifier(role)}")

    connection.run(f"GRANT {owner} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE")
    for user in users(where, "owner"):
        # The role owns every table, whichever of the two creates it.
        connection.run(f"ALTER ROLE {user} SET role = {literal(where['project'] + '_owner')}")
    for user in users(where, "app"):
        connection.run(f"ALTER ROLE {user} CONNECTION LIMIT {int(connection_limit)}")
        connection.run(f"ALTER ROLE {user} SET statement_timeout = '5s'")

    connection.run(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
    connection.run(f"GRANT CONNECT ON DATABASE {name} TO {owner}, {app}")
    connection.run("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    connection.run(f"GRANT USAGE, CREATE ON SCHEMA public TO {owner}")
    connection.run(f"GRANT USAGE ON SCHEMA public TO {app}")
    for rights, things in (("SELECT, INSERT, UPDATE, DELETE", "TABLES"), ("USAGE", "SEQUENCES")):
        connection.run(
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT {rights} ON {things} TO {app}"
        )


def create(connection, role, options):
    known = connection.run("SELECT 1 FROM pg_roles WHERE rolname = :role", role=role)
    if not known:
        connection.run(f"CREATE ROLE {identifier(role)} {options}")


def users(where, kind):
    return [identifier(f"{where['project']}_{kind}_{half}") for half in "ab"]


def set_password(connection, user, password):
    """Sends the password's SCRAM verifier, so that a server that logs statements does not log the password."""
    connection.run(f"ALTER ROLE {identifier(user)} PASSWORD {literal(scram_verifier(password))}")


def test_login(login, role, where):
    """Fails unless the login works and acts with the role's rights."""
    with connect(login, where) as connection:
        connection.run("SET default_transaction_read_only = on")
        [[allowed]] = connection.run("SELECT pg_has_role(session_user, :role, 'USAGE')", role=role)
        if not allowed:
            raise PermissionError(f"{login['username']} is not a member of {role}")


def scram_verifier(password, iterations=4096):
    """What PostgreSQL stores for an ASCII password: RFC 5803, and chapter 54.3 of PostgreSQL's manual."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    text = [b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${iterations}:{text[0]}${text[1]}:{text[2]}"
