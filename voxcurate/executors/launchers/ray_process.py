"""The one process that speaks to Ray: ``python -m voxcurate.executors.launchers.ray_process FD``.

Ray wants a process of its own. Its client aborts the whole process when the head stays away for a
minute, writes to stderr, takes over signals and shows the command line on a dashboard; none of that
may happen to a driver that keeps a catalog. Requests and replies are JSON over the socket `FD`; the
process ends when the other side does.

It is run as ``__main__``, so Ray carries `Job` to the nodes by value: their Ray needs no voxcurate,
only the interpreter that the job is started with does.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

# binds the program that replaces it to its parent's life, even by kill -9 (PR_SET_PDEATHSIG = 1)
TETHER = """
import ctypes, os, sys
parent = int(sys.argv[1])
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != parent:
    os._exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Job:
    """The actor: starts a command and lives as long as it does.

    The command is started by a thread that waits for it, for a process is tied to the life of the
    thread that started it. When the command ends, its exit status is written to the file that
    tells the job's end; without that file a job that is gone was lost.
    """

    def __init__(self, order: dict[str, Any]) -> None:
        threading.Thread(target=_work, args=(order,)).start()


def _work(order: dict[str, Any]) -> None:
    """A job from start to end; the process ends with it, so that it holds nothing any more."""
    try:
        with Path(order["log"]).open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-c", TETHER, str(os.getpid()), *order["command"]],
                env=_environment(order),
                cwd=next(folder for folder in order["folders"] if Path(folder).is_dir()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            if _waited(child, order["seconds"], order["notice_s"]):
                _tell_end(Path(order["end"]), child.returncode)
            else:
                log.write(b"the job's time is over\n")
    finally:
        os._exit(0)


def _environment(order: dict[str, Any]) -> dict[str, str]:
    """Ray's choice of devices; a job that asked for none sees none. A job that is itself a driver
    joins the cluster it runs in (``address: auto``), whichever others are on its machine."""
    import ray

    hidden = {"CUDA_VISIBLE_DEVICES": ""} if order["hidden"] else {}
    return {**os.environ, "RAY_ADDRESS": ray.get_runtime_context().gcs_address, **hidden}


def _waited(child: "subprocess.Popen[bytes]", seconds: float, notice_s: float) -> bool:
    """Whether a command ended by itself; some time before its end it is told, then killed."""
    with suppress(subprocess.TimeoutExpired):
        child.wait(seconds - notice_s)
        return True
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(notice_s)
    child.kill()
    child.wait()
    return False


def _tell_end(path: Path, status: int) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("w") as stream:
        stream.write(f"{status}\n")
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def connect(wanted: dict[str, Any]) -> None:
    """Join a cluster, or start one that ends with this process; the words of Ray stay here."""
    import ray

    local = wanted["address"] == "local"
    own: dict[str, Any] = {
        "num_cpus": wanted["cpus"] or None,
        "num_gpus": wanted["gpus"] or None,
        "object_store_memory": 100 * 2**20,  # unused: results travel through files
        "include_dashboard": False,
    }
    ray.init(
        address=wanted["address"],
        namespace=wanted["namespace"],
        log_to_driver=False,
        logging_level=logging.ERROR,
        **(own if local else {}),
    )


def nodes() -> list[dict[str, float]]:
    """What each living node has, free or not."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def launch(orders: list[dict[str, Any]]) -> None:
    """Start actors; one that is there under its name already is left alone."""
    import ray

    actor = ray.remote(Job)
    for order in orders:
        with suppress(FileNotFoundError):  # of an earlier job of this name
            Path(order["end"]).unlink()
        wanted = dict(order["resources"])
        actor.options(
            name=order["name"],
            lifetime="detached",
            get_if_exists=True,
            num_cpus=wanted.pop("CPU"),
            num_gpus=wanted.pop("GPU"),
            memory=wanted.pop("memory"),
            resources=wanted,
            max_restarts=0,
        ).remote(order)


def living() -> list[str]:
    """Names of the actors that wait or run, of all drivers: one request, however many."""
    from ray.util import list_named_actors

    return list(list_named_actors())


def cancel(names: list[str]) -> None:
    """Kill actors, with them their commands."""
    import ray

    for name in names:
        with suppress(ValueError):  # over already
            ray.kill(ray.get_actor(name), no_restart=True)


CALLS = {"connect": connect, "nodes": nodes, "launch": launch, "living": living, "cancel": cancel}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The reply to a request: its result, or kind and first line of what went wrong."""
    try:
        return {"result": CALLS[request["call"]](*request["arguments"])}  # type: ignore[operator]
    except Exception as problem:  # noqa: BLE001 - the edge: told to the other side in words
        first = next(iter(str(problem).strip().splitlines()), "")
        return {"error": f"{type(problem).__name__}: {first}"[:500]}


def main(number: int) -> None:
    """Answer requests until the other side closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Connection(number) as pipe:
        while True:
            try:
                request = json.loads(pipe.recv_bytes())
            except (EOFError, OSError):
                break
            reply = answer(request)
            with suppress(BrokenPipeError):
                pipe.send_bytes(json.dumps(reply).encode())
    _leave()


def _leave() -> None:
    """Disconnect, but do not wait for a head that does not answer."""
    import ray

    limit = threading.Timer(20.0, os._exit, (0,))
    limit.daemon = True
    limit.start()
    ray.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
