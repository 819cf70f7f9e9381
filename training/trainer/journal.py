"""What a run tells: JSONL that survives a kill, TensorBoard, and progress on stderr."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxcurate.atomic import write_text
from voxcurate.progress import Progress

log = logging.getLogger(__name__)
TORN = 1 << 62  # the step of a line that is not whole


class Journal:
    """The log of a run, one JSON object per line.

    Args:
        path: of the log.
        steps: of the whole run.
        title: of the progress display.
        tensorboard: also for TensorBoard, in the folder beside the log; without the package the
            log alone is written.
        active: False in processes that are not the first: they say nothing.
    """

    def __init__(
        self,
        path: Path,
        steps: int,
        *,
        title: str = "train",
        tensorboard: bool = False,
        quiet: bool = False,
        active: bool = True,
    ) -> None:
        self._path, self._steps, self._active = path, steps, active
        self._title, self._quiet = title, quiet or not active
        self._wants_board = tensorboard and active
        self._board: Any = None
        self._progress: Progress | None = None

    def start(self, step: int) -> None:
        """Go on after a step: later lines go, for their steps come again."""
        if not self._active:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        kept = [line for line in lines if _step_of(line) <= step]
        if len(kept) != len(lines):
            write_text(self._path, "".join(f"{line}\n" for line in kept))
        if self._wants_board:
            self._board = _board(self._path.with_suffix(""), step)
        self._progress = Progress(self._title, self._steps - step, quiet=self._quiet)

    def write(self, facts: Mapping[str, Any]) -> None:
        """One line, with its step."""
        if not self._active:
            return
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(facts) + "\n")
        if self._board is not None:
            for name, value in facts.items():
                if name != "step" and isinstance(value, int | float) and not _is_flag(value):
                    self._board.add_scalar(name, value, facts["step"])

    def advance(self, note: str) -> None:
        """One step more is done."""
        if self._progress is not None:
            self._progress.advance(1, note)

    def eta_s(self) -> float | None:
        """Seconds left."""
        return self._progress.eta_s() if self._progress is not None else None

    def close(self) -> None:
        """Let go of the files."""
        if self._board is not None:
            self._board.close()
        if self._progress is not None:
            self._progress.close()


def last_facts(path: Path) -> dict[str, Any]:
    """The last line with a loss; empty if there is none."""
    for line in reversed(path.read_text().splitlines() if path.exists() else []):
        facts: dict[str, Any] = json.loads(line)
        if facts.get("loss") is not None:
            return facts
    return {}


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log.warning("no TensorBoard log: pip install tensorboard")
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _step_of(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return TORN
