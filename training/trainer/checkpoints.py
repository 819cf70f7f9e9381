"""Checkpoints: whole or not at all, and only for the run that wrote them."""

import logging
import os
import pickle
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from voxcurate.atomic import sync_folder
from voxcurate.errors import TrainingError

log = logging.getLogger(__name__)
NAME, BEFORE = "checkpoint.pt", "checkpoint.before.pt"
ARRAY = "numpy"  # marks an array among the plain values of a file
BROKEN = (OSError, EOFError, RuntimeError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile)


def write_checkpoint(folder: Path, state: Mapping[str, Any]) -> None:
    """Write a state under a temporary name and move it into place; the last one stays beside it.

    A process killed at any moment leaves a whole checkpoint, for a file is renamed in one go.

    Raises:
        TrainingError: it cannot be written (a full disk); the last one stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target, temporary = folder / NAME, folder / f".{NAME}.{os.getpid()}.tmp"
    try:
        with temporary.open("wb") as stream:
            torch.save(_plain(state), stream)
            stream.flush()
            os.fsync(stream.fileno())
    except (OSError, RuntimeError) as error:  # torch's own writer turns one into the other
        temporary.unlink(missing_ok=True)
        why = getattr(error, "strerror", None) or "the disk may be full"
        raise TrainingError(
            f"cannot write the checkpoint of step {state.get('step', '?')} ({why}): make room, and "
            "the same call goes on from the one before"
        ) from None
    if target.exists():
        spare = folder / f".{BEFORE}.{os.getpid()}.tmp"
        with suppress(OSError):  # a file system without hard links keeps one checkpoint
            spare.unlink(missing_ok=True)
            os.link(target, spare)
            spare.replace(folder / BEFORE)
    temporary.replace(target)
    sync_folder(folder)
    for left in folder.glob(".checkpoint*.tmp"):  # of a process that was killed
        left.unlink(missing_ok=True)


def read_checkpoint(folder: Path, identity: Mapping[str, str]) -> dict[str, Any] | None:
    """The newest checkpoint that can be read; None if there is none.

    A torn one (a full disk, a broken file system) is passed over with a warning for the one before
    it, or for none: the run then repeats those steps with the same result.

    Raises:
        TrainingError: it belongs to another run; names what differs.
    """
    for name in (NAME, BEFORE):
        path = folder / name
        if not path.is_file():
            continue
        try:
            _check_sums(path)
            stored = torch.load(path, map_location="cpu", weights_only=True)
            state: dict[str, Any] = _numpy(stored)
            found = dict(state["identity"])
        except BROKEN:
            log.warning("unreadable checkpoint: an earlier one, or a new start, takes its place")
            continue
        differs = sorted(k for k in {*found, *identity} if found.get(k) != identity.get(k))
        if differs:
            raise TrainingError(
                f"the checkpoint belongs to a run with other {', '.join(differs)}: remove its "
                "folder to start anew, or go back to that configuration"
            )
        return state
    return None


def _check_sums(path: Path) -> None:
    """Torch reads a file with flipped bits without a word; the sums are in it all the same."""
    with zipfile.ZipFile(path) as parts:
        if broken := parts.testzip():
            raise zipfile.BadZipFile(f"wrong sum of {broken}")


def _plain(value: Any) -> Any:
    """Arrays as marked tensors, so that no code is ever loaded from a checkpoint."""
    if isinstance(value, np.ndarray):
        return {ARRAY: torch.from_numpy(np.ascontiguousarray(value).reshape(value.shape))}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(each) for each in value)
    return value


def _numpy(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {ARRAY}:
            return value[ARRAY].numpy()
        return {key: _numpy(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_numpy(each) for each in value)
    return value
