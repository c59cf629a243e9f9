"""PostgreSQL 18.1 as RDS runs it, in the database subnets: a primary, a synchronous standby, and a read
replica. After a failover the primary's name resolves to another address."""

import os
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from common.engine import docker

IMAGE, USER, MOUNT = "postgres:18.1", 999, "/etc/postgresql"  # the user is postgres in the image
ADDRESSES = {"primary": "10.0.21.10", "standby": "10.0.22.10", "replica": "10.0.23.10"}
# As RDS with rds.force_ssl: network connections must use TLS.
ACCESS = "local all all trust\nhostssl all all all scram-sha-256\nhostssl replication replication all scram-sha-256\n"
ROLES = """
create role {username} login createrole createdb password '{password}';
create role replication replication login password '{replication}';
create database {database} owner {username};
"""


class Servers:
    """`hosts` are the names of primary and replica, `parameters` those of the parameter group; `point` makes a name resolve to an
    address. `settings` in `folder` holds ca.pem, server.crt and server.key."""

    def __init__(self, network: str, folder: Path, hosts: tuple[str, str], database: str, master: dict, parameters: dict[str, str],
                 point: Callable[[str, str], None]):  # fmt: skip
        self.network, self.folder, self.database, self.point = network, folder, database, point
        self.primary_host, self.replica_host = hosts
        self.parameters = {name: value for name, value in parameters.items() if not name.startswith("rds.")}
        self.following = secrets.token_hex(16)
        self.names = {role: f"{network}-{role}" for role in ADDRESSES}
        self.primary = self.names["primary"]
        settings = folder / "settings"
        (settings / "pg_hba.conf").write_text(ACCESS)
        (settings / "roles.sql").write_text(ROLES.format(**master, replication=self.following, database=database))
        for file in settings.iterdir():
            os.chown(file, USER, USER)

    def start(self) -> None:
        self._initialize()
        for role in ("standby", "replica"):
            # the primary has no clients yet: a copy of its files is a backup
            shutil.copytree(self.folder / "primary", self.folder / role, copy_function=shutil.copy2)
            (self._data(role) / "standby.signal").touch()
            for path in (self.folder / role).rglob("*"):
                os.chown(path, USER, USER)
        self._run("primary", self.primary_host, synchronous_standby_names="standby")
        follows = f"host={self.primary_host} user=replication password={self.following} sslmode=verify-full sslrootcert={MOUNT}/ca.pem"
        self._run("standby", "", primary_conninfo=follows, cluster_name="standby")
        self._run("replica", self.replica_host, primary_conninfo=follows, cluster_name="replica")
        self._until("all follow", "select count(*) = 2 and bool_or(sync_state = 'sync') from pg_stat_replication where state = 'streaming'")
        self.point(self.primary_host, ADDRESSES["primary"])
        self.point(self.replica_host, ADDRESSES["replica"])

    def query(self, statement: str, role: str | None = None) -> str:
        """Runs a statement as superuser, on the current primary or on the server of `role`."""
        name = self.names[role] if role else self.primary
        return docker("exec", name, "psql", "-XAtU", "rdsadmin", "-d", self.database, "-c", statement, limit=30)

    def fail_over(self) -> float:
        """Kills the primary without a clean shutdown and promotes the standby under the primary's name. Returns the seconds that this took."""
        killed = time.monotonic()
        docker("kill", "--signal=KILL", self.primary)
        self.primary = self.names["standby"]
        docker("network", "disconnect", self.network, self.primary)
        docker("network", "connect", "--ip", ADDRESSES["standby"], "--alias", self.primary_host, self.network, self.primary)
        assert self.query("select pg_promote(true, 60)") == "t"
        self.point(self.primary_host, ADDRESSES["standby"])
        return time.monotonic() - killed

    def replica_follows(self) -> None:
        """Waits until the replica has everything that the new primary has."""
        position = self.query("select pg_current_wal_lsn()")
        end = time.monotonic() + 60
        while self.query(f"select pg_last_wal_replay_lsn() >= '{position}'", "replica") != "t":
            assert time.monotonic() < end, docker("logs", "--tail", "20", self.names["replica"])
            time.sleep(0.3)

    def log(self) -> str:
        return docker("logs", self.primary)

    def _initialize(self) -> None:
        password = f"POSTGRES_PASSWORD={secrets.token_hex(16)}"
        scripts = f"{self.folder}/settings/roles.sql:/docker-entrypoint-initdb.d/roles.sql:ro"
        options = ["-e", password, "-e", "POSTGRES_USER=rdsadmin", "-e", "POSTGRES_DB=postgres", "-v", scripts]
        # initializes everything, then prints one setting and exits
        docker("run", "--rm", *self._files("primary"), *options, IMAGE, "postgres", "-C", "data_directory")

    def _run(self, role: str, host: str, **settings: str) -> None:
        settings |= self.parameters | {
            "ssl": "on", "ssl_cert_file": f"{MOUNT}/server.crt", "ssl_key_file": f"{MOUNT}/server.key",
            "hba_file": f"{MOUNT}/pg_hba.conf", "wal_retrieve_retry_interval": "500ms",
        }  # fmt: skip
        place = ["--network", self.network, "--ip", ADDRESSES[role], *(["--network-alias", host] if host else [])]
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        docker("run", "--detach", "--name", self.names[role], *place, *self._files(role), IMAGE, "postgres", *flags)

    def _files(self, role: str) -> list[str]:
        # the label identifies the containers that a killed run left behind
        return ["--label", self.network, "-v", f"{self.folder}/{role}:/var/lib/postgresql", "-v", f"{self.folder}/settings:{MOUNT}:ro"]

    def _data(self, role: str) -> Path:
        return next((self.folder / role).glob("**/PG_VERSION")).parent

    def _until(self, what: str, condition: str, seconds: float = 60) -> None:
        end, last = time.monotonic() + seconds, ""
        while time.monotonic() < end:
            try:
                last = self.query(condition)
            except AssertionError as error:  # it is still starting
                last = str(error)
            if last == "t":
                return
            time.sleep(0.3)
        raise AssertionError(f"not within {seconds:.0f} s: {what}: {last}\n{docker('logs', '--tail', '20', self.primary)}")
