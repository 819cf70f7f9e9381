"""Processes on other machines end with the one that had them started, however that one ends.

The kernel ties a process to its parent (`PR_SET_PDEATHSIG`), but a scheduler's ranks are children
of its own daemons: when ``srun``, or the process that called it, is killed, they would go on,
beside those that the next try starts, and write into the same run. So the one that starts a
training listens, each rank holds a connection to it, and a connection that ends is the end of the
rank.
"""

import os
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from voxcurate.errors import TrainingError

ADDRESS = "VOXCURATE_LIFELINE"
REACH_S = 60.0
SILENT_S, PROBE_S, PROBES = 60, 20, 6  # a machine that is gone says nothing: three minutes


@contextmanager
def held() -> Iterator[int]:
    """Listen for ranks while the training runs; the port."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("", 0), backlog=1024))
        wake, woken = socket.socketpair()
        stack.enter_context(wake)
        thread = threading.Thread(
            target=_accept, args=(server, woken), name="lifeline", daemon=True
        )
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            wake.close()
            thread.join()


def _accept(server: socket.socket, woken: socket.socket) -> None:
    """Hold every connection until told to end; then they close."""
    with ExitStack() as connections, woken, selectors.DefaultSelector() as selector:
        selector.register(server, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is woken:
                    return
                with suppress(OSError):
                    connections.enter_context(server.accept()[0])


def hold_on(address: str) -> None:
    """End this process when whoever listens at ``host:port`` is gone.

    Raises:
        TrainingError: nobody listens: they are gone already, or cannot be reached from here.
    """
    host, _, port = address.rpartition(":")
    try:
        connection = socket.create_connection((host, int(port)), timeout=REACH_S)
    except OSError:
        raise TrainingError(
            f"the process that started this training does not answer on {address}"
        ) from None
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("KEEPIDLE", SILENT_S), ("KEEPINTVL", PROBE_S), ("KEEPCNT", PROBES)):
        if hasattr(socket, f"TCP_{name}"):  # not on every system
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_{name}"), value)
    threading.Thread(target=_end_with, args=(connection,), name="lifeline", daemon=True).start()


def _end_with(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.recv(1)  # nothing is ever sent
    os._exit(1)
