"""A throw-away PostgreSQL server for tests: its own user, folder and port, on loopback."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def binary(name: str) -> str:
    """Path of a server program; skips the test where there is none."""
    found = shutil.which(name)
    if found is None and (config := shutil.which("pg_config")):
        folder = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True)
        found = shutil.which(name, path=folder.stdout.strip())
    return found or pytest.skip(f"no PostgreSQL server here: no {name}")


def unprivileged() -> str | None:
    """The user to run as; the server refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return pytest.skip("PostgreSQL does not run as root, and there is no other user")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(*, durable: bool = False) -> Iterator[str]:
    """URL of a running server, without the database's name; `durable`: it waits for the disk."""
    pytest.importorskip("psycopg", reason="no PostgreSQL driver: pip install 'psycopg[binary]'")
    initdb, postgres = binary("initdb"), binary("postgres")
    user, port = unprivileged(), free_port()
    with tempfile.TemporaryDirectory(prefix="voxcurate-pg-") as folder:
        if user:
            shutil.chown(folder, user)
        data = Path(folder) / "data"
        subprocess.run(
            [initdb, "-D", data, "-U", "voxcurate", "--auth=trust", "--locale=C.UTF-8", "-N"],
            user=user, cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
        where = ["-p", str(port), "-c", "listen_addresses=127.0.0.1", "-k", folder]
        process = subprocess.Popen(
            [postgres, "-D", data, *([] if durable else ["-F"]), *where],
            user=user, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait(port)
            yield f"postgresql+psycopg://voxcurate@127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)  # does not wait for those still connected
            process.wait(timeout=30)


def new_database(url: str, name: str, template: str = "template0") -> str:
    """URL of a new, empty database that sorts text as a German would, not as bytes."""
    import psycopg

    plain = url.replace("+psycopg", "")
    with psycopg.connect(f"{plain}/postgres", autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} TEMPLATE {template} LOCALE_PROVIDER icu ICU_LOCALE 'de'"
        )
    return f"{url}/{name}"


def _wait(port: int) -> None:
    import psycopg

    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(f"postgresql://voxcurate@127.0.0.1:{port}/postgres").close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
