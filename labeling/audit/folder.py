"""The audit of a dataset in plain files: examined case by case, weighed together, looked at twice.

What is known of a case is kept on disk and read again for each pass, so that memory does not grow
with the cases; with a folder for results a later run takes over what still fits its files.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labeling.audit.case import Asked, FolderCase
from labeling.audit.findings import Finding, findings_of, rank
from labeling.config import LabelingConfig
from labeling.expert.examine import tolerance_of
from labeling.expert.features import FEATURES
from labeling.expert.suspicion import Usual, weigh_results
from labeling.rules import load_anatomy
from voxcurate.atomic import write_text
from voxcurate.classes import Vocabulary
from voxcurate.ids import content_id
from voxcurate.protocols import Executor, Task

VERSION = "3"
WORKER, SECOND = "labeling.audit.case:work", "labeling.audit.case:second_look"
EXAMINED, TRUSTED = "examined", "examined_trusted"  # folders of what is kept
WORST = 20


@dataclass(frozen=True)
class AuditSettings:
    """How an audit is done.

    Attributes:
        config: thresholds, rules, judge.
        modality: of the scans.
        in_fold: a model was trained on these very cases.
        sexes: case to ``male`` or ``female``.
        classes: only these are told; all are examined. Empty: all.
        worst: labels that are drawn.
    """

    config: LabelingConfig = field(default_factory=LabelingConfig)
    modality: str = "CT"
    in_fold: bool = False
    sexes: Mapping[str, str] = field(default_factory=dict)
    classes: frozenset[str] = frozenset()
    worst: int = WORST


@dataclass(frozen=True)
class Audit:
    """What came out.

    Attributes:
        findings: of all labels, the most suspicious first.
        failed: case to what is wrong with it.
        usual: what labels were compared with.
        n_cases: that were examined.
        reused: of these, before.
        pictures: (case, class) to the PNGs of label and prediction from the front, and of both
            from the side; of the worst.
    """

    findings: list[Finding]
    failed: Mapping[str, str]
    usual: Usual
    n_cases: int
    reused: int = 0
    pictures: Mapping[tuple[str, str], Sequence[bytes | None]] = field(default_factory=dict)


class Kept(Mapping[str, Mapping[str, Any]]):
    """Results of cases in files, read each time that they are asked for.

    Args:
        places: case to its file, in the order of the cases.
    """

    def __init__(self, places: Mapping[str, Path]) -> None:
        self._places = dict(places)

    def __getitem__(self, case: str) -> Mapping[str, Any]:
        found: dict[str, Any] = json.loads(self._places[case].read_text())["result"]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Joined(Mapping[str, Mapping[str, Any]]):
    """Results of audited cases, and of trusted ones under names that no case has."""

    def __init__(self, audited: Kept, trusted: Kept) -> None:
        self._parts = {"": audited, TRUSTED + "/": trusted}

    def __getitem__(self, case: str) -> Mapping[str, Any]:
        prefix = TRUSTED + "/" if case.startswith(TRUSTED + "/") else ""
        return self._parts[prefix][case.removeprefix(prefix)]

    def __iter__(self) -> Iterator[str]:
        return (prefix + case for prefix, kept in self._parts.items() for case in kept)

    def __len__(self) -> int:
        return sum(map(len, self._parts.values()))


def audit_folder(
    cases: Mapping[str, FolderCase],
    vocabulary: Vocabulary,
    folder: Path,
    executor: Executor,
    settings: AuditSettings | None = None,
    *,
    trusted: Mapping[str, FolderCase] | None = None,
    done: Callable[[str], None] = lambda _: None,
) -> Audit:
    """Audit the labels of some cases.

    Args:
        cases: name to files.
        vocabulary: what is known of the classes.
        folder: keeps what was examined; a case is done again if its files or settings changed.
        executor: runs the workers.
        settings: defaults if not given.
        trusted: cases that what is usual is learned from; else from the audited ones themselves.
        done: told each case that has been examined.

    Raises:
        ConfigError: a file of the anatomy is wrong.
    """
    settings = settings or AuditSettings()
    config = settings.config
    anatomy = load_anatomy(vocabulary, config.rules.anatomy, config.rules.weights)
    asked = Asked(
        config.model_dump(mode="json"),
        [info.model_dump(mode="json") for info in vocabulary],
        settings.modality,
        not settings.in_fold,
        settings.sexes,
    )
    common = content_id(
        VERSION, list(FEATURES), asked.vocabulary, anatomy.plain(),
        [settings.modality, settings.in_fold],
        [config.fuse.model_dump(mode="json"), config.attention.model_dump(mode="json")],
    )  # fmt: skip
    kept, failed, reused = _examine(cases, asked, common, folder / EXAMINED, executor, done)
    known, bad, again = _examine(trusted or {}, asked, common, folder / TRUSTED, executor, done)
    failed |= {f"trusted {case}": why for case, why in bad.items()}
    joined = Joined(kept, known)
    learned = [c for c in joined if c.startswith(TRUSTED + "/")] if trusted else list(joined)
    suspicions, usual = weigh_results(joined, config, vocabulary, frozenset(learned))
    audited = (s for s in suspicions if not s.case_id.startswith(TRUSTED + "/"))
    findings = [
        f
        for f in findings_of(
            audited, usual, config.detect, vocabulary,
            has_scan=lambda case: cases[case].scan is not None,
        )
        if not settings.classes or f.class_id in settings.classes
    ]  # fmt: skip
    ranked = rank(findings)
    looked = _look_again(ranked, cases, asked, usual, executor, settings.worst)
    failed |= {case: why for case, why in looked.failed.items() if case not in failed}
    ranked = [looked.told(f) for f in ranked]
    return Audit(ranked, failed, usual, len(kept), reused + again, looked.pictures)


def _examine(
    cases: Mapping[str, FolderCase],
    asked: Asked,
    common: str,
    folder: Path,
    executor: Executor,
    done: Callable[[str], None],
) -> tuple[Kept, dict[str, str], int]:
    """What is known of each case, in files; those that failed and why; how many were there."""
    marks: dict[str, str] = {}
    failed: dict[str, str] = {}
    todo: list[str] = []
    for case, files in cases.items():
        try:
            marks[case] = content_id(common, files.state(), asked.sexes.get(case, ""))
        except OSError:
            failed[case] = "a file of it is gone, or cannot be read"
            continue
        if _mark_of(folder / f"{case}.json") == marks[case]:
            done(case)
        else:
            todo.append(case)
    tasks = (Task(case, (case, cases[case], asked)) for case in todo)
    for outcome in executor.run(WORKER, tasks):
        if outcome.ok:
            data = {"fingerprint": marks[outcome.key], "result": outcome.value}
            write_text(folder / f"{outcome.key}.json", json.dumps(data))
        else:
            failed[outcome.key] = outcome.error
        done(outcome.key)
    there = {c: folder / f"{c}.json" for c in sorted(marks) if c not in failed}
    return Kept(there), failed, len(marks) - len(todo)


def _mark_of(path: Path) -> str:
    try:
        return str(json.loads(path.read_text())["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


@dataclass
class _Looked:
    better: dict[tuple[str, str], Sequence[Any]] = field(default_factory=dict)
    pictures: dict[tuple[str, str], Sequence[bytes | None]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def told(self, finding: Finding) -> Finding:
        found = self.better.get((finding.case, finding.class_id))
        if found is None:
            return finding
        name, dsc, confidence = found
        return replace(finding, better=name, better_dsc=dsc and round(dsc, 4),
                       better_confidence=confidence)  # fmt: skip


def _look_again(
    ranked: Sequence[Finding],
    cases: Mapping[str, FolderCase],
    asked: Asked,
    usual: Usual,
    executor: Executor,
    worst: int,
) -> _Looked:
    """What the judge prefers to suspect labels, and pictures of the worst."""
    found = _Looked()
    drawn: dict[str, list[str]] = {}
    wanted: dict[str, list[str]] = {}
    for n, f in enumerate(ranked):
        if f.status == "suspect":
            wanted.setdefault(f.case, []).append(f.class_id)
        if n < worst and (f.status == "suspect" or f.evidence > 0):
            drawn.setdefault(f.case, []).append(f.class_id)
    plain = usual.plain()
    names = list(dict.fromkeys([*drawn, *wanted]))
    tasks = (
        Task(c, (c, cases[c], asked, plain, wanted.get(c, []), drawn.get(c, []))) for c in names
    )
    for outcome in executor.run(SECOND, tasks):
        if not outcome.ok:
            found.failed[outcome.key] = outcome.error
            continue
        for class_id, told in outcome.value["better"].items():
            found.better[outcome.key, class_id] = told
        for class_id, pngs in outcome.value["pictures"].items():
            found.pictures[outcome.key, class_id] = pngs
    return found


def plain_settings(
    settings: AuditSettings, usual: Usual, vocabulary: Vocabulary, classes: Sequence[str]
) -> dict[str, Any]:
    """Thresholds and what is written of each class, for the output."""
    config = settings.config
    anatomy = load_anatomy(vocabulary, config.rules.anatomy, config.rules.weights)
    told = {}
    for c in classes:
        written = anatomy.classes.get(c)
        agreement, profile = usual.agreement.get(c), usual.profiles.get(c)
        told[c] = {
            "nsd_tolerance_mm": tolerance_of(c, vocabulary),
            "smallest_missing_ml": config.detect.missing_ml_of(c),
            "region_ml": config.detect.region_ml_of(c),
            "usual_ml": list(written.ml) if written and written.ml else None,
            "pieces_ml": written.pieces_ml if written else None,
            "labels_compared": agreement.n if agreement else 0,
            "usual_dsc": round(agreement.middle, 4) if agreement and agreement.n else None,
            "dsc_scatter": round(agreement.scatter, 4) if agreement and agreement.n else None,
            "models_count": round(agreement.reliability, 4) if agreement else 0.0,
            "shapes_learned": profile.n if profile else 0,
        }
    return {
        "detect": config.detect.model_dump(mode="json"),
        "anatomy": list(config.rules.anatomy),
        "in_fold": settings.in_fold,
        "modality": settings.modality,
        "classes": told,
    }
