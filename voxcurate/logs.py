"""Structured logging: one JSON line per event in the workspace's ``logs/``, warnings on stderr
too."""

import json
import logging
import sys
from pathlib import Path
from typing import Any

from voxcurate.catalog.catalog import now

PACKAGES = ("voxcurate", "agent", "retrieval", "cleaning", "labeling", "training")
_PLAIN = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """An event as a JSON object: time, level, logger, message and whatever was given as `extra`.

    An exception is named by its kind alone, and an `extra` that is not plain data by its type:
    their texts may quote a path or a patient.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        event: dict[str, Any] = {
            "time": now(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        event |= _extra(record)
        return json.dumps(event, default=_kind, ensure_ascii=False)


class Screen(logging.Handler):
    """Events for people, on stderr as it is at the time: a progress bar there moves out of the
    way."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line: level, message, and what was given as `extra`."""
        told = [f"{key} {_brief(value)}" for key, value in _extra(record).items()]
        end = f" ({', '.join(told)})" if told else ""
        try:
            sys.stderr.write(f"{record.levelname} {record.getMessage()}{end}\n")
            sys.stderr.flush()
        except (OSError, ValueError):  # nobody reads it any more
            self.setLevel(logging.CRITICAL + 1)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    found = {k: v for k, v in record.__dict__.items() if k not in _PLAIN}
    if record.exc_info and record.exc_info[0]:
        found["exception"] = record.exc_info[0].__name__
    return found


def _brief(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=_kind)


def _kind(value: Any) -> str:
    return f"<{type(value).__name__}>"


def set_up(folder: Path | None = None, *, verbose: bool = False) -> None:
    """Send our loggers to ``<folder>/voxcurate.jsonl`` and warnings to stderr; calling again
    replaces."""
    screen = Screen()
    screen.setLevel(logging.INFO if verbose else logging.WARNING)
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
