"""Our end of the line to the process that speaks to Ray (`ray_process`), and its options."""

import json
import logging
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from typing import IO, Any

from pydantic import Field

from voxcurate.config import Config
from voxcurate.errors import ClusterError

log = logging.getLogger(__name__)

NO_TOKEN = b"InvalidAuthToken"  # Ray's word for it
OF_WORKERS = {"RAY_JOB_ID", "RAY_RAYLET_PID", "RAY_CLIENT_MODE", "RAY_LD_PRELOAD_ON_WORKERS"}
QUIET = {  # of the process that speaks to Ray; what it starts inherits it
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_gcs_server_request_timeout_seconds": "20",
    "PYTHONWARNINGS": "ignore",
}


class RayOptions(Config):
    """``options`` of a cluster of kind ray."""

    address: str = Field(
        "auto", description="host:port of the head; auto: of the node this runs on, or "
        "RAY_ADDRESS; local: a cluster on this machine that ends with this process",
    )  # fmt: skip
    namespace: str = Field("voxcurate", min_length=1, description="in which the jobs have names")
    token_file: str = Field("", description="of the cluster; empty: RAY_AUTH_TOKEN or ~/.ray")
    grows: bool = Field(
        False, description="nodes come when they are asked for (autoscaler): a job that no present "
        "node could hold waits",
    )  # fmt: skip
    join_s: float = Field(
        30.0, ge=0, description="so long from the first look nodes may join before jobs that fit "
        "on none are refused",
    )  # fmt: skip
    timeout_s: float = Field(90.0, gt=0, description="for an answer of the cluster")
    cpus: int = Field(0, ge=0, description="of a local cluster; 0: those of the machine")
    gpus: int = Field(0, ge=0, description="of a local cluster; 0: those of the machine")


class Client:
    """The process that speaks to Ray, and a connection to it.

    Raises:
        ClusterError: the cluster cannot be joined.
    """

    def __init__(self, options: RayOptions) -> None:
        self._timeout_s = options.timeout_s
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.ray_process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**_outside(), **QUIET, **_token(options)},
                stdin=subprocess.DEVNULL,
                stdout=self._words,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the driver
            )
        self._pipe = Connection(ours.detach())
        self.alive = True
        try:
            self.ask("connect", options.model_dump())
        except ClusterError as problem:
            self.close()
            raise ClusterError(f"no Ray cluster at {options.address!r}: {problem}") from None

    def ask(self, call: str, *arguments: Any) -> Any:
        """The result of a call.

        Raises:
            ClusterError: the call failed, or there was no answer in time: then the client is over.
        """
        try:
            self._pipe.send_bytes(json.dumps({"call": call, "arguments": arguments}).encode())
            self._wait()
            reply = json.loads(self._pipe.recv_bytes())
        except (EOFError, OSError):
            self.alive = False
            log.debug("Ray's last words", extra={"words": self._told().decode(errors="replace")})
            raise ClusterError("the connection to Ray broke") from None
        if "error" in reply:
            raise ClusterError(f"Ray: {reply['error']}")
        return reply["result"]

    def close(self) -> None:
        """End the process: in order if it still answers, by force if not."""
        self._pipe.close()
        try:
            self._process.wait(30.0 if self.alive else 1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.alive = False
        self._words.close()

    def _wait(self) -> None:
        """For an answer; Ray itself tries for long, and says only to stderr that its token is
        not accepted."""
        deadline = time.monotonic() + self._timeout_s
        while not self._pipe.poll(1.0):
            if NO_TOKEN in self._told():
                self.alive = False
                raise ClusterError(
                    "its token is missing or wrong (options: token_file; or RAY_AUTH_TOKEN)"
                )
            if time.monotonic() > deadline:
                self.alive = False
                raise ClusterError(f"Ray did not answer within {self._timeout_s:g} s")

    def _told(self) -> bytes:
        """The last words of the process; it writes at an offset that is not moved by our look."""
        size = os.fstat(self._words.fileno()).st_size
        return os.pread(self._words.fileno(), 4000, max(0, size - 4000))


def _outside() -> dict[str, str]:
    """Our environment, without what Ray tells its workers where a driver is itself a job."""
    return {name: value for name, value in os.environ.items() if name not in OF_WORKERS}


def _token(options: RayOptions) -> dict[str, str]:
    """How to show who we are. A local cluster gets a token of its own, so that no other user of
    the machine can join it; nothing is written to the home folder."""
    if options.token_file:
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": options.token_file}
    given = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ)
    off = os.environ.get("RAY_AUTH_MODE", "token") != "token"
    if options.address == "local" and not given and not off:
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    return {}
