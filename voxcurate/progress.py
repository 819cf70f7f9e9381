"""Progress of long jobs on stderr: a bar with an ETA on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

INTERVAL_S = 15.0  # between plain lines


class Progress:
    """Counts items of one job; `advance` after each."""

    def __init__(self, title: str, total: int, *, quiet: bool = False) -> None:
        self.title, self.total, self.done = title, total, 0
        self._quiet = quiet
        self._start = self._last = time.monotonic()

    def advance(self, n: int = 1, note: str = "") -> None:
        """`n` more items are done."""
        self.done += n
        if not self._quiet:
            self._show(note)

    def eta_s(self) -> float | None:
        """Seconds left at the speed so far; None before the first item."""
        if not self.done:
            return None
        return (time.monotonic() - self._start) / self.done * max(0, self.total - self.done)

    def _show(self, note: str) -> None:
        now = time.monotonic()
        if now - self._last >= INTERVAL_S and self.done < self.total:
            self._last = now
            self._line(note)

    def _line(self, note: str) -> None:
        eta = self.eta_s()
        left = f", about {duration(eta)} left" if eta is not None and self.done < self.total else ""
        end = f" ({note})" if note else ""
        sys.stderr.write(f"  {self.title}: {self.done}/{self.total}{left}{end}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Say how long it took."""
        if not self._quiet and self.total:
            took = time.monotonic() - self._start
            sys.stderr.write(f"  {self.title}: {self.done}/{self.total} in {duration(took)}\n")
            sys.stderr.flush()


class _Bar(Progress):
    """The same on a terminal, drawn by rich."""

    def __init__(self, title: str, total: int) -> None:
        super().__init__(title, total)
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress

        self._rich = RichProgress(
            TextColumn("  {task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(stderr=True),
        )
        self._task = self._rich.add_task(title, total=total, note="")
        self._rich.start()

    def _show(self, note: str) -> None:
        self._rich.update(self._task, completed=self.done, note=note)

    def close(self) -> None:
        self._rich.stop()


@contextmanager
def progress(title: str, total: int, *, quiet: bool = False) -> Iterator[Progress]:
    """A progress display for `total` items; nothing is shown for an empty job or when quiet."""
    if quiet or not total:
        bar = Progress(title, total, quiet=True)
    elif sys.stderr.isatty():
        bar = _Bar(title, total)
    else:
        bar = Progress(title, total)
    try:
        yield bar
    finally:
        bar.close()


def duration(seconds: float | None) -> str:
    """``"8 s"``, ``"3 min 20 s"``, ``"2 h 5 min"``."""
    if seconds is None:
        return "?"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
