"""One training in several processes, on this machine or on many.

``python -m training.trainer.ranks PAYLOAD RESULT`` is one of them: torchrun starts as many as there
are devices, ``srun`` does on the nodes of the SLURM job around us, or the configured launcher.
"""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from training.config import TrainingConfig
from training.trainer.devices import RANKS, THREADS, given_threads
from training.trainer.lifeline import ADDRESS, held, hold_on
from training.trainer.places import find_place, meeting_point, srun, this_host, without_places
from voxcurate.atomic import write_text
from voxcurate.errors import TrainingError
from voxcurate.executors import cores
from voxcurate.executors.worker import measured

PR_SET_PDEATHSIG = 1
TRIES = 12  # halvings of what the devices hold
MEMORY_SHORT = "MemoryShortError"
PAUSED = "TrainingPausedError"


def train_in_ranks(payload: Mapping[str, Any], config: TrainingConfig) -> dict[str, Any]:
    """Train in several processes and return what the first of them returns.

    Where memory is short in one, all start again from the checkpoint with smaller portions.

    Raises:
        TrainingError: what one of them raised, or that they died.
    """
    folder = Path(payload["scratch"]) / f"ranks_{payload['run_id']}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        write_text(folder / "payload.json", json.dumps(payload))
        for _ in range(TRIES):
            _start(folder, config)
            found = _read(folder)
            if found["kind"] != MEMORY_SHORT:
                break
        if found["error"]:
            from training.trainer.loop import TrainingPausedError

            raise (TrainingPausedError if found["kind"] == PAUSED else TrainingError)(
                found["error"]
            )
        value: dict[str, Any] = found["value"]
        return value
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, config: TrainingConfig) -> None:
    for old in folder.glob("result*.json"):
        old.unlink()
    compute, places = config.compute, {"payload": folder / "payload.json"}
    places["result"] = folder / "result.json"
    own = ["-m", "training.trainer.ranks", str(places["payload"]), str(places["result"])]
    meeting: dict[str, str] = {}
    if compute.launcher:
        command = [word.format(**places) for word in compute.launcher]
    elif compute.nodes > 1:
        command, meeting = srun(compute, own, os.environ), meeting_point(os.environ)
    else:
        module = ["-m", "torch.distributed.run", "--standalone"]
        command = [sys.executable, *module, "--nproc-per-node", str(compute.devices), *own]
    share = max(1, (given_threads() or cores()) // compute.devices)
    threads = {THREADS: str(share), "OMP_NUM_THREADS": str(share)}
    path = os.pathsep.join(each for each in sys.path if each)
    with held() as port:
        ours = {ADDRESS: f"{this_host()}:{port}", "PYTHONPATH": path, **threads, **meeting}
        _run(command, {**without_places(os.environ), **ours})


def _run(command: list[str], environment: Mapping[str, str]) -> None:
    """Run a launcher to its end; when the lifeline ends with it, so do ranks that it left."""
    try:
        process = subprocess.Popen(command, env=environment, preexec_fn=_death_pact())
    except OSError:
        raise TrainingError(f"{command[0]} cannot be started") from None
    with process:
        try:
            process.wait()
        except BaseException:
            process.send_signal(signal.SIGTERM)
            raise


def _read(folder: Path) -> dict[str, Any]:
    """The first process's result, else the first error that tells what is wrong."""
    parts = [json.loads(path.read_text()) for path in sorted(folder.glob("result*.json"))]
    wrong = [part for part in parts if part["error"]]
    short = [part for part in wrong if part["kind"] == MEMORY_SHORT]
    if wrong or parts:
        found: dict[str, Any] = (short or wrong or parts)[0]
        return found
    return {"value": None, "kind": "", "error": "the processes of the training died"}


def _death_pact() -> Callable[[], object]:
    """A call that ties this process to its parent's death, even by kill -9 (Linux only).

    All of it is looked up here: between fork and exec nothing may be imported, for another thread
    may have held the import's lock when the process was forked.
    """
    import ctypes

    with suppress(OSError, AttributeError):
        return functools.partial(ctypes.CDLL(None).prctl, PR_SET_PDEATHSIG, signal.SIGKILL)
    return int


def main(payload_path: str, result_path: str) -> int:
    """Be one of the processes; the exit status is 0 if it went well."""
    from training.trainer.work import train_model

    parent = os.getppid()
    _death_pact()()
    if os.getppid() != parent:  # it was gone before it could be tied to
        return 1
    os.environ[RANKS] = "1"
    rank = find_place(os.environ)
    payload = json.loads(Path(payload_path).read_text())

    def work() -> dict[str, Any]:
        if ADDRESS in os.environ:  # a launcher may hand no variables on
            hold_on(os.environ[ADDRESS])
        return train_model(payload)

    outcome = measured(work, f"rank {rank}")
    if rank == 0 or outcome.error:
        target = Path(result_path).with_name(f"result{rank:05d}.json")
        told = {"value": outcome.value, "error": outcome.error, "kind": outcome.error_kind}
        write_text(target, json.dumps(told))
    return 1 if outcome.error else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
