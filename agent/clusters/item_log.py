"""All that is known of one item: its ledger lines, the jobs that had it, and what they said."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from voxcurate.catalog import Catalog, WorkItem
from voxcurate.errors import ConfigError
from voxcurate.executors.shards.files import SHARDS, log_name, part, shards_in
from voxcurate.ledger import item_key
from voxcurate.workspace import Workspace

MOST_LINES = 400
EVENTS = 50


@dataclass(frozen=True)
class Words:
    """A part of a log: of which job, where the whole of it lies, and the lines about the item."""

    of: str
    path: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class ItemStory:
    """What is known of an item."""

    item: str
    ledger: tuple[dict[str, Any], ...]
    words: tuple[Words, ...]
    events: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def story(workspace: Workspace, catalog: Catalog, name: str) -> ItemStory:
    """The story of an item: a case, or a case and its class or model behind a slash.

    Raises:
        ConfigError: nothing is known of such an item.
    """
    ledger = tuple(_ledger(catalog, name))
    words = tuple(_words(workspace.root, name))
    events = tuple(_events(workspace.root / "logs" / "voxcurate.jsonl", name))
    if not (ledger or words or events):
        raise ConfigError(
            f"nothing is known of an item {name!r}; 'voxcurate status' and 'voxcurate jobs' name "
            "items"
        )
    return ItemStory(name, ledger, words, events)


def _ledger(catalog: Catalog, name: str) -> Iterator[dict[str, Any]]:
    names = ("round", "stage", "subject", "variant", "status", "attempts", "error", "seconds",
             "peak_mb", "updated")  # fmt: skip
    subject = name.partition("/")[0]
    rows = catalog.columns(WorkItem, *names, subject=subject)
    for row in sorted(rows, key=lambda row: str(row[-1])):
        line = dict(zip(names, row, strict=True))
        if name in {subject, item_key(line["subject"], line["variant"])}:
            key = item_key(line.pop("subject"), line.pop("variant"))
            yield {"item": key, **line}


def _words(root: Path, name: str) -> Iterator[Words]:
    """Of the jobs that have it now, and of those that it took down."""
    for stage in sorted(path for path in (root / SHARDS).glob("*") if path.is_dir()):
        kept = log_name(name)
        for path in sorted((stage / "quarantined").glob("*.log")):
            if path.stem == kept or path.stem.startswith(f"{kept}_"):
                lines = tuple(_about(path, name))
                yield Words(f"{stage.name}: the last job it took down", _place(root, path), lines)
        for shard in shards_in(stage):
            contents = shard.contents()
            places = (
                [n for n, e in enumerate(contents.entries) if _is(e.key, name)] if contents else []
            )
            for number in shard.tries() if contents and places else ():
                order, path = shard.order(number), shard.log(number)
                todo = set(part(contents.entries, order.todo)) if contents and order else set()
                if todo & set(places) and path.exists():
                    of = f"{stage.name}: shard {shard.name}, job {number}"
                    yield Words(of, _place(root, path), tuple(_about(path, name)))


def _is(key: str, name: str) -> bool:
    return key == name or key.partition("/")[0] == name


def _place(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _about(path: Path, name: str) -> Iterator[str]:
    """The lines from where an item was begun to where the next one is; in a job of several
    processes others' lines are among them."""
    inside, n = False, 0
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            event = _event(line)
            if event.get("message") == "item begun":
                inside = _is(str(event.get("item", "")), name)
            if inside and n < MOST_LINES:
                n += 1
                yield _told(line, event)


def _events(path: Path, name: str) -> list[str]:
    """What the drivers' log says of it, the last of it."""
    if not path.exists():
        return []
    found: list[str] = []
    mark = json.dumps(name, ensure_ascii=False)[1:-1]
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            if mark in line:
                event = _event(line)
                if any(_is(str(event.get(key, "")), name) for key in ("item", "case", "case_id")):
                    found = [*found[1 - EVENTS :], _told(line, event)]
    return found


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line) if line.startswith("{") else {}
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _told(line: str, event: dict[str, Any]) -> str:
    """An event in one line for people; other lines as they are."""
    if not event:
        return line.rstrip("\n")
    rest = {k: v for k, v in event.items() if k not in {"time", "level", "logger", "message"}}
    end = ", ".join(f"{key} {value}" for key, value in rest.items())
    at = str(event.get("time", ""))[:19].replace("T", " ")
    return f"{at} {event.get('level', '')}: {event.get('message', '')}{f' ({end})' if end else ''}"
