"""Reading many reports: a failure is its report's own, and results go straight into the catalog."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal

from retrieval.questions import Question
from retrieval.rules.reader import RuleReader
from voxcurate.catalog import Reading
from voxcurate.catalog.statements import packed, to_json
from voxcurate.errors import CurationError
from voxcurate.executors.worker import describe
from voxcurate.protocols import Finding, ReportReader

EMPTY = "the report is empty: want its text"
LONGEST = 200_000  # characters; a report has a few thousand, so this is no single report
_readers: dict[str, RuleReader] = {}


@dataclass(frozen=True)
class Read:
    """What became of a report: its findings, or why there are none (or not all).

    `retry`: another try may go better; an empty report stays empty. `facts` are kept with the
    catalog's reading.
    """

    findings: Sequence[Finding] = ()
    error: str = ""
    retry: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> Literal["read", "failed", "unreadable"]:
        """As the catalog's reading has it."""
        if not self.error:
            return "read"
        return "failed" if self.retry else "unreadable"


def read_text(reader: ReportReader, text: str) -> Read:
    """One report read; whatever goes wrong becomes an error in words.

    The text of an unforeseen error may quote the report: its kind and place are told instead.
    """
    if not text.strip():
        return Read(error=EMPTY)
    if len(text) > LONGEST:
        return Read(
            error=f"the report has {len(text):,} characters: want at most {LONGEST:,} (many "
            "reports in one? Give them as rows of a table)"
        )
    try:
        return Read(reader.read(text))
    except CurationError as problem:
        return Read(error=str(problem))
    except Exception as problem:  # noqa: BLE001 - one report must not fail those beside it
        return Read(error=describe(problem))


def rule_reader(questions: Sequence[Mapping[str, Any]], version: str) -> RuleReader:
    """The reader of questions that came as plain data, kept for the next batch."""
    if version not in _readers:
        _readers.clear()
        _readers[version] = RuleReader(Question.model_validate(item) for item in questions)
    return _readers[version]


def as_plain(questions: Iterable[Question]) -> list[dict[str, Any]]:
    """Questions as plain data for a worker."""
    return [item.model_dump(mode="json", exclude_defaults=True) for item in questions]


def read_shard(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The stage's pure worker: ``reports`` (id, case, text) in, rows for the catalog out."""
    reader = rule_reader(payload["questions"], payload["version"])
    reads = [read_text(reader, text) for _, _, text in payload["reports"]]
    return rows_of(payload, reads)


def rows_of(payload: Mapping[str, Any], reads: Sequence[Read]) -> dict[str, Any]:
    """Rows of findings and readings as `Writer.insert` takes them."""
    findings: list[tuple[Any, ...]] = []
    readings: list[tuple[Any, ...]] = []
    reader, number = payload["reader"], payload["round"]
    for (report_id, case_id, text), read in zip(payload["reports"], reads, strict=True):
        findings += [_row(report_id, case_id, found, reader, number) for found in read.findings]
        reading = Reading(
            report_id, content_of(case_id, text), payload["mark"], read.status, number,
            len(read.findings), read.error, dict(read.facts),
        )  # fmt: skip
        readings.append(packed(reading))
    return {"findings": findings, "readings": readings}


def _row(report_id: str, case_id: str, found: Finding, reader: str, number: int) -> tuple[Any, ...]:
    """`packed` of the finding's row, in a tenth of the time."""
    return (
        report_id, found.question, case_id, found.value, found.number, found.unit, found.choice,
        found.sentence, found.section, found.confidence, reader, number, found.span[0],
        found.span[1], found.rule, found.side, found.change, _json(found.items),
        _json(found.numbers), _json(found.mentions), found.supported,
    )  # fmt: skip


def _json(values: Sequence[Any]) -> str:
    return to_json(list(values)) if values else "[]"


def content_of(case_id: str, text: str) -> str:
    """A hash of what findings depend on: the text, and the scan they are told of."""
    data = f"{case_id}\0{text}".encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=8).hexdigest()
