"""Which reports are still to be read, in shards, and how their findings enter the catalog."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

from retrieval.reading import content_of
from voxcurate.catalog import (
    Catalog,
    FindingRow,
    Measure,
    Reading,
    Report,
    WorkItem,
    Writer,
)
from voxcurate.catalog.catalog import now
from voxcurate.ledger import Item

STAGE = "retrieve"
_PAGE = 2000  # reports held in memory while planning
_FIELDS = 1 << 128


@dataclass
class Shard:
    """Reports whose ids hash into one bucket: a ledger item, the same for the same reports.

    `digest` changes with every report in it. `names` are the ids of those to be read, packed: a
    list of strings would take four times the memory.
    """

    name: str
    n_reports: int = 0
    digest: int = 0
    names: bytearray = field(default_factory=bytearray)

    def add(self, report_id: str, content: str, *, is_read: bool) -> None:
        """Take a report in; the order does not matter."""
        told = blake2b(f"{report_id}\0{content}".encode(), digest_size=16).digest()
        self.n_reports += 1
        self.digest = (self.digest + int.from_bytes(told)) % _FIELDS
        if not is_read:
            self.names += report_id.encode() + b"\0"

    @property
    def todo(self) -> list[str]:
        """Ids of the reports that are to be read."""
        return self.names.decode().split("\0")[:-1]


@dataclass(frozen=True)
class Plan:
    """The shards with reports in them, in order, and what the catalog has of them already."""

    shards: Sequence[Shard]
    n_reports: int
    n_findings: int


def plan(catalog: Catalog, mark: str, most: int) -> Plan:
    """What is to be read, found in one pass over the reports.

    A report is read when its reading carries this reader's mark and the hash of its text and scan,
    and did not fail in a way that another try could mend.

    Args:
        mark: names the reader, its version and the questions.
        most: reports of a shard; the number of shards is a power of two, so that few reports more
            or less leave them as they are.
    """
    count = 1
    while catalog.count(Report) > count * most:
        count *= 2
    shards = [Shard(f"{number + 1:0{len(str(count))}d}-of-{count}") for number in range(count)]
    n_reports = n_findings = 0
    for page in catalog.stream(Report, "report_id", "case_id", "text", batch=_PAGE):
        known = _readings(catalog, mark, [row[0] for row in page])
        for report_id, case_id, text in page:
            content = content_of(case_id, text)
            found = known.get(report_id)
            is_read = found is not None and found[0] == content
            shards[_bucket(report_id, count)].add(report_id, content, is_read=is_read)
            n_reports += 1
            n_findings += found[1] if found and is_read else 0
    return Plan([shard for shard in shards if shard.n_reports], n_reports, n_findings)


def forget_gone(catalog: Catalog) -> int:
    """Drop readings and findings of reports that are no longer in the catalog; how many reports.

    For after a reading, when every report has its reading: more of these than of those are seen at
    no cost.
    """
    gone: list[str] = []
    if catalog.count(Reading) > catalog.count(Report):
        for page in catalog.stream(Reading, "report_id", batch=_PAGE):
            names = {name for (name,) in page}
            there = catalog.columns(Report, "report_id", report_id=names)
            gone += sorted(names - {name for (name,) in there})
    if gone:
        with catalog.write() as writer:
            writer.forget(FindingRow, report_id=gone)
            writer.forget(Reading, report_id=gone)
    return len(gone)


def texts(catalog: Catalog, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Id, scan and text of some reports, by id."""
    found = catalog.columns(Report, "report_id", "case_id", "text", report_id=names)
    return sorted((row[0], row[1], row[2]) for row in found)


def record(writer: Writer, item: Item, value: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Write what the worker read, in place of what was there; the ledger's result is counts only.

    A report that could not be read becomes a failed line of the ledger under its own id. What
    ``unanswered`` names by report, questions without an answer this time, keeps the findings that
    it had, if the report is the same: a server that is down takes nothing away.
    """
    readings = [Reading(*row[:-1]) for row in value["readings"]]
    kept = _make_room(writer, readings, value.get("unanswered", {}))
    writer.insert(FindingRow, value["findings"])
    writer.insert(Reading, value["readings"])
    _tell_failures(writer, readings, number)
    cost = dict(value.get("cost", {}))
    _add_costs(writer, cost, number)
    n_failed = sum(reading.status != "read" for reading in readings)
    counts = {
        "read": len(readings) - n_failed,
        "failed": n_failed,
        "findings": len(value["findings"]) + kept,
    }
    return {**counts, **({"cost": cost} if cost else {})}


def give_up(
    writer: Writer, report: tuple[str, str, str], mark: str, error: str, number: int
) -> None:
    """Put on record that a report took its worker down; a report that is the same keeps its old
    findings."""
    report_id, case_id, text = report
    reading = Reading(report_id, content_of(case_id, text), mark, "failed", number, error=error)
    _make_room(writer, [reading], {report_id: None})
    writer.put(reading)


def _make_room(
    writer: Writer, readings: Sequence[Reading], unanswered: Mapping[str, Sequence[str] | None]
) -> int:
    """Forget what is read anew; how many old findings stay, those of unanswered questions.

    Args:
        readings: those to be recorded.
        unanswered: by report the questions that got no answer this time; None: all.
    """
    names = [reading.report_id for reading in readings]
    asked = {r.report_id: r.content for r in readings if r.status == "failed"}
    same = {
        old.report_id
        for old in writer.rows(Reading, report_id=[name for name in unanswered if name in asked])
        if old.content == asked[old.report_id]
    }
    kept: list[FindingRow] = []
    for row in writer.rows(FindingRow, report_id=sorted(same)):
        missing = unanswered[row.report_id]
        kept += [row] if missing is None or row.question in missing else []
    writer.forget(FindingRow, report_id=names)
    writer.forget(Reading, report_id=names)
    writer.put_all(kept)
    return len(kept)


def failures(catalog: Catalog) -> dict[str, str]:
    """Reports that could not be read, or not wholly, and why."""
    wanted = ["failed", "unreadable"]
    found = catalog.columns(Reading, "report_id", "error", status=wanted)
    return dict(sorted((name, error) for name, error in found))


def facts_of(catalog: Catalog, name: str) -> Iterator[tuple[str, Any]]:
    """One of the facts that readers told of reports, where there is one."""
    for page in catalog.stream(Reading, "report_id", "facts"):
        yield from ((report_id, facts[name]) for report_id, facts in page if facts.get(name))


def _readings(catalog: Catalog, mark: str, names: Sequence[str]) -> dict[str, tuple[str, int]]:
    wanted = {"report_id": names, "reader": mark, "status": ["read", "unreadable"]}
    rows = catalog.columns(Reading, "report_id", "content", "n_findings", **wanted)
    return {name: (content, n) for name, content, n in rows}


def _bucket(report_id: str, count: int) -> int:
    return int.from_bytes(blake2b(report_id.encode(), digest_size=8).digest()) % count


def _tell_failures(writer: Writer, readings: Sequence[Reading], number: int) -> None:
    names = [reading.report_id for reading in readings]
    old = writer.rows(WorkItem, stage=STAGE, subject=names, status="failed")
    tries = {line.subject: line.attempts for line in old if line.round == number}
    writer.put_all([replace(line, status="quarantined") for line in old])
    writer.put_all(
        [
            WorkItem(
                number, STAGE, r.report_id, "", r.content, "failed",
                tries.get(r.report_id, 0) + 1, r.error, updated=now(),
            )
            for r in readings
            if r.status != "read"
        ]
    )  # fmt: skip


def _add_costs(writer: Writer, cost: Mapping[str, float], number: int) -> None:
    """Costs of the round so far, as measures: what failed has cost too."""
    names = [f"llm_{name}" for name in cost]
    before = {
        m.name: m.value or 0.0 for m in writer.rows(Measure, round=number, stage=STAGE, name=names)
    }
    writer.put_all(
        [
            Measure(number, STAGE, "", "", "", name, before.get(name, 0.0) + value)
            for name, value in zip(names, cost.values(), strict=True)
        ]
    )
