"""Acts as Secrets Manager: calls the rotation function's steps, and tries the logins that they create."""

import importlib
import json
import uuid

import pytest

STEPS = ["createSecret", "setSecret", "testSecret", "finishSecret"]
ROLES = ["birthday_owner", "birthday_app"]
# as RDS creates it: not a superuser
MASTER = {"username": "birthday_admin", "password": "the-masters-password"}


def connect(server, login, **options):
    roles = importlib.import_module("roles")
    return roles.connect(login, {"host": "localhost", "port": server.port, "name": "birthday"} | options)


def initialize(function):
    function.handler({"Step": "initialize"}, None)


def begin(client, arn):
    """What Secrets Manager does before it calls the first step: a pending version without a value."""
    token = str(uuid.uuid4())
    client.rotate_secret(SecretId=arn, ClientRequestToken=token, RotationRules={"AutomaticallyAfterDays": 30})
    return token


def call(function, step, arn, token):
    function.handler({"Step": step, "SecretId": arn, "ClientRequestToken": token}, None)


def rotate(function, client, arn, steps=STEPS):
    token = begin(client, arn)
    for step in steps:
        call(function, step, arn, token)
    return token


def current(client, arn, stage="AWSCURRENT"):
    return json.loads(client.get_secret_value(SecretId=arn, VersionStage=stage)["SecretString"])


def query(server, login, sql):
    with connect(server, login) as connection:
        return connection.run(sql)


def refused(server, login, sql):
    from pg8000.exceptions import DatabaseError

    with pytest.raises(DatabaseError) as error:
        query(server, login, sql)
    return error.value.args[0]["C"]
