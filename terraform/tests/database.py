"""PostgreSQL 18.1 for tests, set up as RDS sets it up: a master user that is no superuser, TLS only."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tools import postgres, run

NOBODY = 65534  # PostgreSQL refuses to run as root.
MASTER = {"username": "birthday_admin", "password": "the-masters-password"}


def write_certificates(folder, *hosts):
    """A certificate authority and the server's certificate for these host names."""
    now = datetime.now(timezone.utc)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("authority", "server")}
    names = {name: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in keys}

    def certificate(name):
        made = (
            x509.CertificateBuilder()
            .subject_name(names[name])
            .issuer_name(names["authority"])
            .public_key(keys[name].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=name == "authority", path_length=None), critical=True)
        )
        if name == "server":
            made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        return made.sign(keys["authority"], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    (folder / "ca.pem").write_bytes(certificate("authority"))
    (folder / "server.crt").write_bytes(certificate("server"))
    key = keys["server"].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.key").write_bytes(key)
    (folder / "server.key").chmod(0o600)


class Server:
    def __init__(self, folder, port):
        self.folder, self.port, self.data, self.log = folder, port, folder / "data", folder / "postgres.log"
        # The cache may lie in a home folder that the other user cannot enter.
        self.native = shutil.copytree(postgres(), folder / "native", symlinks=True)

    def program(self, name, *arguments, **options):
        as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        return [self.native / "bin" / name, *arguments], as_nobody | {"cwd": self.folder} | options

    def start(self):
        write_certificates(self.folder, "localhost")
        (self.folder / "superuser").write_text("the-superusers-password")
        if os.getuid() == 0:
            for path in (self.folder, *self.folder.glob("*.*"), self.folder / "superuser"):
                os.chown(path, NOBODY, NOBODY)
        command, options = self.program(
            "initdb", "-D", self.data, "-U", "rdsadmin", "--auth=scram-sha-256", f"--pwfile={self.folder}/superuser"
        )
        run(command, **options)
        # As RDS with rds.force_ssl: nobody in without TLS.
        (self.data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        settings = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "ssl": "on",
            "ssl_cert_file": self.folder / "server.crt", "ssl_key_file": self.folder / "server.key",
            "log_statement": "all", "fsync": "off", "max_connections": "50",
        }  # fmt: skip
        flags = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        command, options = self.program("postgres", "-D", self.data, *flags)
        with open(self.log, "w") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, **options)
        self.wait()

    def wait(self, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            if "ready to accept connections" in self.log.read_text():
                return
            time.sleep(0.1)
        raise AssertionError("PostgreSQL did not start")

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


@contextlib.contextmanager
def running(folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(folder, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()
