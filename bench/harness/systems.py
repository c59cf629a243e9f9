"""The systems under test: how each is built and started."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parents[1]
ROOT = BENCH.parent
PEERS = BENCH / "peers"


@dataclass(frozen=True)
class System:
    """`command` gets the cache directory; `environment` gets the port and the database's URL."""

    name: str
    title: str
    command: Callable[[Path], list[str]]
    environment: Callable[[int, str], dict[str, str]]
    store: str = "PostgreSQL"

    @property
    def is_ours(self) -> bool:
        return self.name.startswith("birthday-api")


def service(cache: Path) -> list[str]:
    return [str(cache / "birthday-api")]


def service_settings(port: int, database: str) -> dict[str, str]:
    """The service as it is delivered; it only ends sooner than it would behind a load balancer."""
    return {
        "ROCKET_PORT": str(port),
        "ROCKET_DATABASES": f'{{birthdays={{url="{database}"}}}}',
        "ROCKET_LIFECYCLE": "{drain=0}",
    }


def peer_settings(port: int, database: str) -> dict[str, str]:
    return {"PORT": str(port), "DATABASE_URL": database}


def uvicorn(module: str, workers: int) -> System:
    """As uvicorn's documentation deploys it, with its fast loop and parser, and without a log line for each request."""

    def command(cache: Path) -> list[str]:
        options = "--loop uvloop --http httptools --no-access-log --log-level warning".split()
        start = 'exec "$0" "$@" --port "$PORT"'
        program = ["uvicorn", f"with_{module}:app", "--app-dir", str(PEERS / "fastapi")]
        return ["sh", "-c", start, *program, *options, "--workers", str(workers)]

    library = {"asyncpg": "asyncpg", "sqlalchemy": "SQLAlchemy"}[module]
    plural = "s" if workers > 1 else ""
    title = f"FastAPI + {library} ({workers} worker{plural})"
    return System(f"fastapi-{module}-{workers}", title, command, peer_settings)


def compiled(name: str, title: str) -> System:
    return System(name, title, lambda cache: [str(cache / "peers" / name)], peer_settings)


SQLITE = System("birthday-api-sqlite", "**this service** on SQLite", service, service_settings, "SQLite")
SERVICE = System("birthday-api", "**this service** on PostgreSQL", service, service_settings)
PIPELINED = compiled("axum-tokio-postgres", "axum + tokio-postgres, 2 shared connections, pipelined")
SYSTEMS = [
    SERVICE,
    SQLITE,
    uvicorn("sqlalchemy", 1),
    uvicorn("asyncpg", 1),
    uvicorn("asyncpg", 2),
    compiled("axum-sqlx", "axum + sqlx"),
    compiled("go-pgx", "Go net/http + pgx"),
    PIPELINED,
    compiled("actix-tokio-postgres", "actix-web + tokio-postgres, one connection per worker"),
]


def build(cache: Path) -> None:
    """Release builds from the lock files, copied to where no other build replaces them."""
    (cache / "peers").mkdir(parents=True, exist_ok=True)
    # As the image is built.
    relocations = "link-arg=-Wl,-z,pack-relative-relocs"
    run(["cargo", "rustc", "--release", "--locked", "--quiet", "--bin", "birthday-api", "--", "-C", relocations], ROOT)
    place(ROOT / "target/release/birthday-api", cache / "birthday-api")
    run(["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", str(cache / "target")], PEERS)
    for name in ("axum-sqlx", "axum-tokio-postgres", "actix-tokio-postgres"):
        place(cache / "target/release" / name, cache / "peers" / name)
    run(["go", "build", "-trimpath", "-o", str(cache / "peers/go-pgx"), "."], PEERS / "go-pgx")


def run(command: list[str], directory: Path) -> None:
    subprocess.run(command, cwd=directory, check=True)


def place(source: Path, target: Path) -> None:
    """By a new file: the old one may still be running."""
    target.unlink(missing_ok=True)
    subprocess.run(["cp", "--", str(source), str(target)], check=True)
