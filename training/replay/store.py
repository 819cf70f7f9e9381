"""The memory beside a model: which cases its weights have learnt from, for the rounds after it.

It holds case ids, their running losses and their pooled features; never an image or a label.
"""

import json
from pathlib import Path

from training.replay.memory import Memory
from voxcurate.errors import TrainingError
from voxcurate.workspace import write_text

FILE = "memory.json"
DIGITS = 6  # of a feature: enough to compare with


def write_memory(folder: Path, memory: Memory) -> None:
    """Put a memory into a model's folder."""
    state = memory.state_dict()
    state["features"] = {
        case: [round(value, DIGITS) for value in feature]
        for case, feature in state["features"].items()
    }
    write_text(folder / FILE, json.dumps(state) + "\n")


def read_memory(folder: Path) -> Memory | None:
    """The memory of a model's folder; None if there is none (a model of another make).

    Raises:
        TrainingError: the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    memory = Memory()
    try:
        memory.load_state_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TrainingError(f"{FILE} of the model before is damaged") from None
    return memory
