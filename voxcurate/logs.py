"""Structured logging: one JSON line per event in the workspace's ``logs/``, warnings on stderr
too."""

import json
import logging
from pathlib import Path
from typing import Any

from voxcurate.catalog.catalog import now

PACKAGES = ("voxcurate", "agent", "retrieval", "cleaning", "labeling", "training")
_PLAIN = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """An event as a JSON object: time, level, logger, message and whatever was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        event: dict[str, Any] = {
            "time": now(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        event |= {k: v for k, v in record.__dict__.items() if k not in _PLAIN}
        if record.exc_info and record.exc_info[0]:
            event["exception"] = record.exc_info[
                0
            ].__name__  # its text may quote a path or a patient
        return json.dumps(event, default=str, ensure_ascii=False)


def set_up(folder: Path | None = None, *, verbose: bool = False) -> None:
    """Send our loggers to ``<folder>/voxcurate.jsonl`` and warnings to stderr; calling again
    replaces."""
    screen = logging.StreamHandler()
    screen.setLevel(logging.INFO if verbose else logging.WARNING)
    screen.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handlers: list[logging.Handler] = [screen]
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        lines = logging.FileHandler(folder / "voxcurate.jsonl", encoding="utf-8")
        lines.setFormatter(JsonLines())
        handlers.append(lines)
    for name in PACKAGES:
        logger = logging.getLogger(name)
        for old in list(logger.handlers):
            logger.removeHandler(old)
            old.close()
        logger.setLevel(logging.INFO)
        logger.propagate = False
        for handler in handlers:
            logger.addHandler(handler)
