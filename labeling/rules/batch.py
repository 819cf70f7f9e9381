"""The rules on many cases of files, in processes that may fail alone."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from labeling.rules.engine import Anatomy, load_anatomy
from labeling.rules.files import facts_of, nothing_like, read_labels, read_scan
from labeling.rules.outcome import Outcome
from voxcurate.case_files import CaseFiles
from voxcurate.classes import load_vocabulary
from voxcurate.ids import content_id
from voxcurate.kept import KeptResults
from voxcurate.protocols import Executor, Task

WORKER = "labeling.rules.batch:work"
VERSION = "1"  # of the rules: others make kept results useless
KEPT = "checked"  # in the folder of kept results


@dataclass(frozen=True)
class Checked:
    """What the rules said of each case, and what could not be read and why.

    Attributes:
        cases: case to outcomes, the broken ones first.
        counts: case to how many structures are there, and how many outcomes are broken, of these
            hard, hold and are unknown; kept or not.
        failed: case to why.
        unnamed: case to the values of its label map that have no name, and their voxels.
    """

    cases: dict[str, list[Outcome]] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    unnamed: dict[str, dict[int, int]] = field(default_factory=dict)

    def total(self, what: str) -> int:
        """The sum of one of the counts."""
        return sum(counts[what] for counts in self.counts.values())


@dataclass(frozen=True)
class Asked:
    """What is asked of every case.

    Attributes:
        anatomy: names of shipped files or paths of others, as `load_anatomy` takes them.
        rules: only these; empty: all.
        classes: only these; empty: all.
        every: keep what holds and what is unknown, too; of many cases that is much.
        empty: classes that are absent where a case has no label of them; of others nobody knows.
    """

    anatomy: tuple[str, ...]
    rules: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    every: bool = False
    empty: tuple[str, ...] = ()

    def wants(self, v: Outcome) -> bool:
        """Whether an outcome matters."""
        is_named = not self.classes or v.class_id in self.classes
        return is_named and (not self.rules or v.rule in self.rules)


def count(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many are broken, hold and are unknown, and how many of the broken ones are hard."""
    states = {s: sum(v.state == s for v in outcomes) for s in ("broken", "holds", "unknown")}
    return {**states, "hard": sum(v.hard and v.state == "broken" for v in outcomes)}


def check_cases(
    cases: Mapping[str, CaseFiles],
    asked: Asked,
    executor: Executor,
    *,
    scans: Mapping[str, Path] | None = None,
    sexes: Mapping[str, str] | None = None,
    keep: Path | None = None,
    done: Callable[[str], None] = lambda _: None,
) -> Checked:
    """Check cases; one that cannot be read, or stops its process, is named, the others go on.

    Args:
        cases: as `find_cases` finds them; the result has their order.
        asked: of every case.
        executor: runs the worker.
        scans: case to its CT, for HU and the body; a case without one is checked without.
        sexes: case to ``male`` or ``female``.
        keep: folder that keeps what was said of each case, for as long as its files, the rules and
            what is asked stay the same; a later call takes it over.
        done: told the name of each case, as they finish.
    """
    scans, sexes = scans or {}, sexes or {}
    kept = _kept(asked, keep)
    states = {c: _state(files, scans.get(c), sexes.get(c, "")) for c, files in cases.items()}
    values: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for case, state in states.items():
        if state is not None and (known := kept.get(case, state)) is not None:
            values[case] = _read(known)
            done(case)
    todo = {case: files for case, files in cases.items() if case not in values}
    for outcome in executor.run(WORKER, _tasks(todo, asked, scans, sexes)):
        if outcome.ok:
            values[outcome.key] = outcome.value
            if (state := states[outcome.key]) is not None:
                kept.put(outcome.key, state, _plain(outcome.value))
        else:
            failed[outcome.key] = outcome.error
        done(outcome.key)
    found = Checked(failed={case: failed[case] for case in cases if case in failed})
    for case in (case for case in cases if case in values):
        found.cases[case] = values[case]["outcomes"]
        found.counts[case] = values[case]["counts"]
        if values[case]["unnamed"]:
            found.unnamed[case] = values[case]["unnamed"]
    return found


def _kept(asked: Asked, folder: Path | None) -> KeptResults:
    if folder is None:
        return KeptResults()
    vocabulary = load_vocabulary()
    written = load_anatomy(vocabulary, asked.anatomy).plain()
    classes = [info.model_dump(mode="json") for info in vocabulary]
    return KeptResults(folder / KEPT, content_id(VERSION, asdict(asked), written, classes))


def _state(files: CaseFiles, scan: Path | None, sex: str) -> list[Any] | None:
    """What a result depends on; None where a file cannot be seen, which the worker will tell."""
    try:
        seen = [scan.stat().st_size, scan.stat().st_mtime_ns] if scan else []
        return [files.state(), seen, sex]
    except OSError:
        return None


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **value,
        "outcomes": [v.plain() for v in value["outcomes"]],
        "unnamed": list(value["unnamed"].items()),
    }


def _read(plain: Mapping[str, Any]) -> dict[str, Any]:
    outcomes = [Outcome(**v) for v in plain["outcomes"]]
    return {**plain, "outcomes": outcomes, "unnamed": dict(plain["unnamed"])}


def classes_of(cases: Mapping[str, CaseFiles]) -> tuple[str, ...]:
    """The classes that some case has, or may have by the names of its label map."""
    named: Collection[str] = {
        c for case in cases.values() for c in (*case.masks, *case.names.values())
    }
    return tuple(sorted(named))


def _tasks(
    cases: Mapping[str, CaseFiles],
    asked: Asked,
    scans: Mapping[str, Path],
    sexes: Mapping[str, str],
) -> Iterator[Task]:
    for case, files in cases.items():
        scan, sex = scans.get(case), sexes.get(case, "")
        yield Task(case, {"files": files, "asked": asdict(asked), "scan": scan, "sex": sex})


def work(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Worker: what the rules say of one case, the broken ones first.

    Raises:
        CurationError: it cannot be read.
    """
    files, asked = payload["files"], Asked(**payload["asked"])
    structures, unnamed = read_labels(files)
    scan = read_scan(structures, payload["scan"])
    if structures:
        like = next(iter(structures.values()))
        structures = {**{c: nothing_like(c, like) for c in asked.empty}, **structures}
    is_map = files.label_map is not None
    facts = facts_of(structures, scan, sex=payload["sex"], disjoint=is_map)
    outcomes = [v for v in _anatomy(asked.anatomy).outcomes(structures, facts) if asked.wants(v)]
    kept = [v for v in outcomes if asked.every or v.state == "broken"]
    n = sum(not s.is_empty for s in structures.values())
    return {
        "outcomes": sorted(kept, key=_rank),
        "counts": {"structures": n, **count(outcomes)},
        "unnamed": unnamed,
    }


@lru_cache(maxsize=1)
def _anatomy(names: tuple[str, ...]) -> Anatomy:
    """Read once in each process."""
    return load_anatomy(load_vocabulary(), names)


def _rank(v: Outcome) -> tuple[bool, bool, float, str, str, str]:
    return v.state != "broken", not v.hard, -v.weight, v.class_id, v.rule, v.other
