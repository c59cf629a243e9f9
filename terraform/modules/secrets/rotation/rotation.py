"""Rotates the passwords of the database's users, when Secrets Manager calls it.

Two secrets are rotated: the schema owner's and the application's. Each has a role
that holds the rights (`birthday_owner`, `birthday_app`) and two logins in it
(`..._a`, `..._b`) that take turns: a rotation gives the idle one a new password and
makes it current, so clients that still use the other keep working until the next
rotation. The SQL statements are in roles.py.

Secrets Manager calls the four steps createSecret, setSecret, testSecret and
finishSecret, and calls them again after a failure: each may run any number of times.
Terraform calls the step `initialize`, which creates the roles and the first values; and again
when the limit of connections changes.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

import json
import logging
import os
import secrets
import string

import boto3

import roles

log = logging.getLogger("rotation")
log.setLevel(logging.INFO)

manager = boto3.client("secretsmanager")


class RotationError(Exception):
    """The call does not fit the state of the secret; a retry would not help."""


def handler(event, _context):
    step = event["Step"]
    if step == "initialize":
        initialize()
    else:
        rotate(step, event["SecretId"], event["ClientRequestToken"])
    log.info("%s done", step)


def rotate(step, arn, token):
    role = role_of(arn)
    versions = manager.describe_secret(SecretId=arn)["VersionIdsToStages"]
    if token not in versions:
        raise RotationError(f"version {token} is not being rotated")
    if "AWSCURRENT" in versions[token]:
        return  # finishSecret succeeded before, but its answer was lost.
    if "AWSPENDING" not in versions[token]:
        raise RotationError(f"version {token} is not pending")
    steps = {
        "createSecret": create_secret,
        "setSecret": set_secret,
        "testSecret": test_secret,
        "finishSecret": finish_secret,
    }
    steps[step](role, arn, token)


def create_secret(role, arn, token):
    """Stores the next login as the pending version, once: setSecret sets the password stored here."""
    if value_of(arn, stage="AWSPENDING", version=token) is not None:
        return
    current = value_of(arn, stage="AWSCURRENT")
    put(arn, login(idle_user(role, current), password()), token, "AWSPENDING")


def set_secret(role, arn, token):
    pending = pending_login(role, arn, token)
    with roles.connect_as_master(master_login(), database()) as connection:
        roles.prepare(connection, database(), connection_limit())
        roles.set_password(connection, pending["username"], pending["password"])


def test_secret(role, arn, token):
    """Logs in with the pending password and checks that the login has the role's rights."""
    pending = pending_login(role, arn, token)
    roles.test_login(pending, role, database())


def finish_secret(role, arn, token):
    pending_login(role, arn, token)
    versions = manager.describe_secret(SecretId=arn)["VersionIdsToStages"]
    current = next(version for version, stages in versions.items() if "AWSCURRENT" in stages)
    manager.update_secret_version_stage(
        SecretId=arn, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
    )


def initialize():
    """Creates the roles, and a first value for each secret that has none yet."""
    with roles.connect_as_master(master_login(), database()) as connection:
        roles.prepare(connection, database(), connection_limit())
        for role, arn in rotated_secrets().items():
            if value_of(arn, stage="AWSCURRENT") is not None:
                continue
            # The database first: if this stops between the two, the next run sets another password.
            first = login(f"{role}_a", password())
            roles.set_password(connection, first["username"], first["password"])
            manager.put_secret_value(SecretId=arn, SecretString=json.dumps(first))


def idle_user(role, current):
    """The login of the pair that is not current."""
    if current is None:
        raise RotationError("the secret has no current value: initialize comes first")
    pair = [f"{role}_a", f"{role}_b"]
    if current["username"] not in pair:
        raise RotationError(f"the current user is not one of {pair}")
    return pair[1 - pair.index(current["username"])]


def pending_login(role, arn, token):
    """The pending version's value; never the current user's, whose password must not change."""
    pending = value_of(arn, stage="AWSPENDING", version=token)
    if pending is None:
        raise RotationError(f"version {token} has no value: createSecret comes first")
    if pending["username"] != idle_user(role, value_of(arn, stage="AWSCURRENT")):
        raise RotationError("the pending user is in use: another rotation was finished meanwhile")
    return pending


def value_of(arn, stage, version=None):
    """A version's value, or None where there is none."""
    which = {"VersionStage": stage} | ({"VersionId": version} if version else {})
    try:
        return json.loads(manager.get_secret_value(SecretId=arn, **which)["SecretString"])
    except manager.exceptions.ResourceNotFoundException:
        return None


def put(arn, value, token, stage):
    manager.put_secret_value(
        SecretId=arn, ClientRequestToken=token, SecretString=json.dumps(value), VersionStages=[stage]
    )


def login(username, new_password):
    where = database()
    return {
        "engine": "postgres",
        "host": where["host"],
        "port": where["port"],
        "dbname": where["name"],
        "username": username,
        "password": new_password,
    }


def password():
    """40 letters and digits: 238 bits, and no character that a URL or a shell interprets."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(40))


def role_of(arn):
    for role, known in rotated_secrets().items():
        if known == arn:
            return role
    raise RotationError("this secret is not rotated here")


def rotated_secrets():
    """Role -> secret."""
    return json.loads(os.environ["ROTATED_SECRETS"])


def master_login():
    return json.loads(manager.get_secret_value(SecretId=os.environ["MASTER_SECRET"])["SecretString"])


def connection_limit():
    return int(os.environ["CONNECTION_LIMIT"])


def database():
    return {
        "host": os.environ["DATABASE_HOST"],
        "port": int(os.environ["DATABASE_PORT"]),
        "name": os.environ["DATABASE_NAME"],
        "project": os.environ["DATABASE_PROJECT"],
    }
