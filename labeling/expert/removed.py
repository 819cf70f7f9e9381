"""What reports say that surgery has taken: an empty label of it is right, whatever models draw."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labeling.rules import Anatomy
from voxcurate.catalog import Catalog, FindingRow, Writer
from voxcurate.classes import Vocabulary

VALUES = ("uncertain", "yes")  # the surer one later


@dataclass(frozen=True)
class Gone:
    """A report's word that an organ was taken.

    Attributes:
        is_whole: surely and all of it; else perhaps, or perhaps a part.
        words: for people.
        finding: that says so, as plain data: report and span, not the text.
    """

    is_whole: bool
    words: str
    finding: Mapping[str, Any]

    def mark(self) -> list[Any]:
        """What a decision depends on."""
        return [self.is_whole, self.words, dict(self.finding)]


def removed_of(
    catalog: Catalog | Writer,
    anatomy: Anatomy,
    vocabulary: Vocabulary,
    classes: Collection[str],
    cases: Sequence[str],
) -> dict[str, dict[str, Gone]]:
    """Case to class to what its reports say, where they say that it was taken.

    A yes to one of the class's `removed_by` questions is the whole organ's; an uncertain answer,
    and a yes to `resected_by` (which may mean a part, or only the other of two sides where none is
    named), leaves it to people. A finding on the other side says nothing; an unsupported one
    neither.

    Args:
        catalog: with findings.
        anatomy: the classes' questions.
        vocabulary: their sides.
        classes: in question.
        cases: some hundred scans.
    """
    about: dict[str, list[tuple[str, bool]]] = {}
    for class_id in sorted(classes):
        rules = anatomy.classes.get(class_id)
        if rules is not None:
            for question in rules.removed_by:
                about.setdefault(question, []).append((class_id, True))
            for question in rules.resected_by:
                about.setdefault(question, []).append((class_id, False))
    found: dict[str, dict[str, Gone]] = {}
    if not about or not cases:
        return found
    rows = catalog.rows(FindingRow, case_id=list(cases), question=sorted(about), value=list(VALUES))
    order = sorted(rows, key=lambda r: (VALUES.index(r.value), r.report_id, r.question))
    for row in (row for row in order if row.supported):
        for class_id, is_organ in about[row.question]:
            side = vocabulary[class_id].side if class_id in vocabulary else ""
            if side and row.side in ("left", "right") and row.side != side:
                continue
            own = found.setdefault(row.case_id, {})
            is_whole = is_organ and row.value == "yes"
            if class_id not in own or not own[class_id].is_whole:
                own[class_id] = Gone(is_whole, _words(row, is_whole), _plain(row))
    return found


def _words(row: FindingRow, is_whole: bool) -> str:
    name = row.question.replace("_", " ")
    if is_whole:
        return f"the report says that it was removed ({name})"
    return f"the report says that it may have been removed ({name}: {row.value})"


def _plain(row: FindingRow) -> dict[str, Any]:
    names = ("report_id", "question", "value", "side", "start", "stop", "confidence", "reader")
    return {name: getattr(row, name) for name in names}
