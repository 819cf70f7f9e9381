"""Where the truth is known: which errors were found, and under which name."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labeling.errors.kinds import KINDS, PLANTED_ONLY
from labeling.errors.record import LabelError
from voxcurate.catalog import Catalog, Measure
from voxcurate.errors import ConfigError

FILE = "known_errors.csv"  # in a workspace's folder: read by the round report
COLUMNS = ("case_id", "class_id", "kind")
RIGHT = "right"  # nothing is wrong with the label
KEPT, UNSEEN = "kept", "not suspected"  # suspected, but the judge or a person keeps the label
Key = tuple[str, str]  # case and class


@dataclass(frozen=True)
class Confusion:
    """What labels were taken for, against what they are.

    Attributes:
        counts: (true kind or `RIGHT`, told kind or `KEPT` or `UNSEEN`) to labels.
    """

    counts: Mapping[tuple[str, str], int]

    @property
    def truths(self) -> list[str]:
        """The true kinds that there are, `RIGHT` last."""
        order = [*KINDS, *PLANTED_ONLY, RIGHT]
        return sorted({true for true, _ in self.counts}, key=lambda k: _place(order, k))

    @property
    def answers(self) -> list[str]:
        """What labels were taken for."""
        order = [*KINDS, KEPT, UNSEEN]
        return sorted({told for _, told in self.counts}, key=lambda k: _place(order, k))

    def total(self, true: str) -> int:
        """How many labels are of this truth."""
        return sum(n for (one, _), n in self.counts.items() if one == true)

    @property
    def wrong(self) -> int:
        """How many labels are wrong."""
        return sum(self.total(true) for true in self.truths if true != RIGHT)

    @property
    def found(self) -> int:
        """How many of the wrong ones count as errors."""
        return sum(n for (true, told), n in self.counts.items() if true != RIGHT and told in KINDS)

    @property
    def named(self) -> int:
        """How many of those have the right kind."""
        return sum(
            n for (true, told), n in self.counts.items() if PLANTED_ONLY.get(true, true) == told
        )

    @property
    def accused(self) -> int:
        """How many right labels count as errors."""
        return sum(n for (true, told), n in self.counts.items() if true == RIGHT and told in KINDS)


def _place(order: list[str], name: str) -> tuple[int, str]:
    return (order.index(name) if name in order else len(order), name)


def read_known(path: Path) -> dict[Key, str]:
    """Case and class to the kind of error, `RIGHT` for none; a table with `COLUMNS`.

    Raises:
        ConfigError: it is no such table, or tells a structure twice.
    """
    if not path.is_file():
        raise ConfigError("no table of known errors there")
    found: dict[Key, str] = {}
    with path.open(newline="", encoding="utf-8") as stream:
        rows = csv.DictReader(stream)
        if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
            raise ConfigError(f"known errors: want columns {', '.join(COLUMNS)}; no {missing[0]}")
        for row in rows:
            key = (row["case_id"], row["class_id"])
            if key in found:
                raise ConfigError(f"known errors: {key[1]} is there twice", case_id=key[0])
            found[key] = row["kind"].strip() or RIGHT
    return found


def write_known(path: Path, known: Mapping[Key, str]) -> None:
    """Write the table that `read_known` reads."""
    from voxcurate.workspace import write_text

    lines = [",".join(COLUMNS)]
    lines += [f"{case},{name},{'' if kind == RIGHT else kind}" for (case, name), kind in
              sorted(known.items())]  # fmt: skip
    write_text(path, "\n".join(lines) + "\n")


def confusion(
    known: Mapping[Key, str], looked: Iterable[Key], errors: Iterable[LabelError]
) -> Confusion:
    """Compare what was told of labels as they came with what is known of them.

    Args:
        known: what is wrong with which label.
        looked: the labels that were looked at; others are left out.
        errors: in any order. Only those of labels that came with the data count; of several on
            one structure the first.
    """
    first: dict[Key, LabelError] = {}
    for error in errors:
        key = (error.case_id, error.class_id)
        if error.scope != "label" or error.drawn_by != "source" or key not in known:
            continue
        if key not in first or error.round < first[key].round:
            first[key] = error
    counts: Counter[tuple[str, str]] = Counter()
    for key in {*looked} & set(known):
        counts[known[key], _told(first.get(key))] += 1
    return Confusion(dict(counts))


def _told(error: LabelError | None) -> str:
    if error is None:
        return UNSEEN
    return error.kind if error.is_error else KEPT


def looked_keys(catalog: Catalog, known: Mapping[Key, str], upto: int | None = None) -> set[Key]:
    """Which of the known structures the detection has looked at."""
    cases = sorted({case for case, _ in known})
    rows = catalog.columns(
        Measure, "round", "case_id", "class_id", stage="detect", name="error_probability",
        case_id=cases,
    )  # fmt: skip
    return {(case, name) for number, case, name in rows if upto is None or number <= upto}
