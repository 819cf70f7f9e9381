"""Tables that people hand in: truth, readers' marks, a model's scores. CSV with a heading.

Truth: ``case``, ``present`` (yes or no), and if known ``subtype``, ``patient``, ``size_mm``.
Marks: ``case``, ``reader``, ``present``, and if known ``group``, ``subtype``. Scores: ``case``,
``score`` (a number) or ``present``, and if known ``subtype``.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from voxcurate.errors import ConfigError

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "case": ("case", "case_id", "id", "scan"),
    "reader": ("reader", "reader_id", "radiologist"),
    "group": ("group", "level", "experience"),
    "present": ("present", "tumor", "tumour", "lesion", "positive", "class/present"),
    "subtype": ("subtype", "type", "class", "diagnosis"),
    "patient": ("patient", "patient_id"),
    "size_mm": ("size_mm", "diameter_mm", "size"),
    "score": ("score", "probability"),
    "stage": ("stage", "t_stage", "t"),
}
WORDS = {
    "yes": True, "y": True, "1": True, "1.0": True, "true": True, "positive": True,
    "no": False, "n": False, "0": False, "0.0": False, "false": False, "negative": False,
}  # fmt: skip
NO_GROUP = "readers"
TOLD = 5
HALF = 0.5  # the threshold where none is given


@dataclass(frozen=True)
class Truth:
    """What is true of each case."""

    present: Mapping[str, bool]
    subtype: Mapping[str, str] = field(default_factory=dict)
    patient: Mapping[str, str] = field(default_factory=dict)
    size_mm: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Calls:
    """What one reader, or a model, says of the cases.

    Attributes:
        present: case to yes or no.
        subtype: case to what it is called, where that was told.
        score: case to a model's score.
        group: of a reader.
    """

    present: Mapping[str, bool]
    subtype: Mapping[str, str] = field(default_factory=dict)
    score: Mapping[str, float] = field(default_factory=dict)
    group: str = NO_GROUP


def read_truth(path: Path, *, needs: Sequence[str] = ("present",)) -> Truth:
    """The truth of each case.

    Args:
        path: CSV.
        needs: columns besides ``case`` without which it is of no use. Without ``present`` every
            case with a subtype has a tumour.

    Raises:
        ConfigError: a column is missing, a cell cannot be understood, or a case is told twice.
    """
    rows = _Table(path, ("case", *needs))
    present, subtype, patient, size = {}, {}, {}, {}
    for number, row in rows.lines():
        case = row["case"]
        if case in patient:
            raise ConfigError(f"{path.name}: row {number}: case {case} is told twice")
        patient[case] = row.get("patient") or case
        if row.get("subtype"):
            subtype[case] = row["subtype"]
        if "present" in rows.columns:
            present[case] = rows.yes(number, row)
        else:
            present[case] = case in subtype
        if row.get("size_mm"):
            size[case] = rows.number(number, row, "size_mm")
    return Truth(present, subtype, patient, size)


def read_marks(path: Path, truth: Truth) -> dict[str, Calls]:
    """Reader to marks.

    Raises:
        ConfigError: as `read_truth`; a case that the truth does not know, a reader in two groups,
            or one who marks a case twice.
    """
    rows = _Table(path, ("case", "reader", "present"))
    present: dict[str, dict[str, bool]] = {}
    subtype: dict[str, dict[str, str]] = {}
    group: dict[str, str] = {}
    for number, row in rows.lines():
        reader, case = row["reader"], row["case"]
        if not reader:
            raise ConfigError(f"{path.name}: row {number}: no reader")
        own = row.get("group") or NO_GROUP
        if group.setdefault(reader, own) != own:
            raise ConfigError(
                f"{path.name}: row {number}: reader {reader} is in groups {group[reader]} and {own}"
            )
        if case in present.setdefault(reader, {}):
            raise ConfigError(f"{path.name}: row {number}: reader {reader} marks {case} twice")
        present[reader][case] = rows.yes(number, row)
        if row.get("subtype"):
            subtype.setdefault(reader, {})[case] = row["subtype"]
    _known({case for cases in present.values() for case in cases}, truth, path)
    return {r: Calls(present[r], subtype.get(r, {}), group=group[r]) for r in sorted(present)}


def read_scores(path: Path, truth: Truth, threshold: float | None = None) -> Calls:
    """A model's calls: its own (``present``), or scores of `threshold` and more mean yes.

    A threshold that is given counts more than the table's own calls; else scores alone mean yes
    from 0.5 on.

    Raises:
        ConfigError: as `read_truth`; neither score nor present; a case that is not in the truth.
    """
    rows = _Table(path, ("case",))
    if not {"score", "present"} & rows.columns:
        raise ConfigError(f"{path.name}: want a column score or present")
    present: dict[str, bool] = {}
    subtype: dict[str, str] = {}
    score: dict[str, float] = {}
    for number, row in rows.lines():
        case = row["case"]
        if case in present:
            raise ConfigError(f"{path.name}: row {number}: case {case} is told twice")
        if "score" in rows.columns:
            score[case] = rows.number(number, row, "score")
            present[case] = score[case] >= (HALF if threshold is None else threshold)
        if "present" in rows.columns and (threshold is None or case not in score):
            present[case] = rows.yes(number, row)
        if row.get("subtype"):
            subtype[case] = row["subtype"]
    _known(present, truth, path)
    return Calls(present, subtype, score, "model")


class _Table:
    """Rows of a CSV, TSV or semicolon table by our names of the columns."""

    def __init__(self, path: Path, needs: Sequence[str]) -> None:
        self.name = path.name
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            raise ConfigError(f"{path.name}: want a CSV table of UTF-8 text") from None
        first = text.split("\n", 1)[0]
        reader = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=first.count))
        lines = [(n, row) for n, row in enumerate(reader, 1) if any(cell.strip() for cell in row)]
        head = [cell.strip().lower() for cell in lines[0][1]] if lines else []
        place: dict[str, int] = {}
        for ours, names in COLUMNS.items():  # of several the first of our names counts
            known = [name for name in names if name in head]
            if known:
                place[ours] = head.index(known[0])
        self.columns = frozenset(place)
        for column in needs:
            if column not in place:
                raise ConfigError(
                    f"{path.name}: no column {column}: want one of {', '.join(COLUMNS[column])}; "
                    f"found {', '.join(head) or 'nothing'}"
                )
        self._rows = [
            (n, {c: row[at].strip() if at < len(row) else "" for c, at in place.items()})
            for n, row in lines[1:]
        ]
        if not self._rows:
            raise ConfigError(f"{path.name}: want a line of headings and a line per case")

    def lines(self) -> list[tuple[int, dict[str, str]]]:
        """Line number and cells; a line without a case is an error."""
        for number, row in self._rows:
            if not row["case"]:
                raise ConfigError(f"{self.name}: row {number}: no case")
        return self._rows

    def yes(self, number: int, row: Mapping[str, str]) -> bool:
        """Whether `present` says yes."""
        word = row["present"].lower()
        if word not in WORDS:
            raise ConfigError(
                f"{self.name}: row {number}: want yes or no in present, found {row['present']!r}"
            )
        return WORDS[word]

    def number(self, number: int, row: Mapping[str, str], column: str) -> float:
        """A finite number."""
        try:
            value = float(row[column])
        except ValueError:
            value = float("nan")
        if not abs(value) < float("inf"):
            raise ConfigError(
                f"{self.name}: row {number}: want a number in {column}, found {row[column]!r}"
            )
        return value


def _known(cases: Mapping[str, object] | set[str], truth: Truth, path: Path) -> None:
    strange = sorted(set(cases) - set(truth.present))
    if strange:
        more = f" and {len(strange) - TOLD} more" if len(strange) > TOLD else ""
        raise ConfigError(f"{path.name}: not in the truth: {', '.join(strange[:TOLD])}{more}")


def read_stages(path: Path) -> dict[str, str]:
    """Case to T stage, of a table with columns ``case`` and ``stage``.

    Raises:
        ConfigError: as `read_truth`; a stage that does not begin with T1 to T4.
    """
    found: dict[str, str] = {}
    for number, row in _Table(path, ("case", "stage")).lines():
        stage = row["stage"].upper()
        if stage[:2] not in ("T1", "T2", "T3", "T4"):
            raise ConfigError(
                f"{path.name}: row {number}: want T1 to T4 in stage, found {row['stage']!r}"
            )
        if row["case"] in found:
            raise ConfigError(f"{path.name}: row {number}: case {row['case']} is told twice")
        found[row["case"]] = stage
    return found
