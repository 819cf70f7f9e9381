"""Scores of the labels that the rounds end with: mended, left alone, harmed, made anew."""

from collections import defaultdict
from collections.abc import Iterator

from agent.score.detection import Key, labelled_pairs
from agent.score.statistics import dsc, mean
from agent.score.table import ScoreRow, not_run
from agent.score.truth import Scoring
from voxcurate.catalog import Decision, Label

STAGE = "assemble"
_GAIN = 0.1  # a label counts as mended from this gain of DSC on


def score_mending(scoring: Scoring) -> Iterator[ScoreRow]:
    """DSC against the truth before and after, of planted errors and of clean labels."""
    pointers = scoring.catalog.current()
    last = max((pointer.round for pointer in pointers.values()), default=0)
    if last == 0:
        yield not_run(STAGE, "planted errors, mean DSC after")
        return
    labels = {label.label_id: label for label in scoring.catalog.rows(Label)}
    wrong = labelled_pairs(scoring)
    before = {key: _score(scoring, scoring.originals[key]) for key in wrong}
    after: dict[Key, float] = {}
    for key in wrong:
        pointer = pointers.get(key)
        if pointer is not None and pointer.label_id in labels:
            after[key] = _score(scoring, labels[pointer.label_id])
    for is_wrong, name in ((True, "planted errors"), (False, "clean labels")):
        keys = [key for key in after if wrong[key] == is_wrong]
        if not keys:
            continue
        yield ScoreRow(
            STAGE,
            f"{name}, mean DSC after",
            mean([after[key] for key in keys]),
            "before",
            mean([before[key] for key in keys]),
            len(keys),
        )
    clean = [key for key in after if not wrong[key]]
    harmed = [key for key in clean if after[key] < before[key] - _GAIN]
    if clean:
        yield ScoreRow(
            STAGE, "clean labels harmed", len(harmed) / len(clean), "touch none", 0.0, len(clean)
        )
    yield from _handled(scoring, wrong, before, after)


def _handled(
    scoring: Scoring, wrong: dict[Key, bool], before: dict[Key, float], after: dict[Key, float]
) -> Iterator[ScoreRow]:
    """Errors that were mended or put before people; clean labels that were put before people."""
    asked = {
        (d.case_id, d.class_id)
        for d in scoring.catalog.rows(Decision, stage=["judge", "review"])
        if d.verdict in ("to_review", "queued")
    }
    mended = {key for key, score in after.items() if score > before[key] + _GAIN}
    gone = set(wrong) - set(after)  # retired and replaced by nothing
    errors = [key for key, is_wrong in wrong.items() if is_wrong]
    clean = [key for key, is_wrong in wrong.items() if not is_wrong]
    if not errors:
        yield not_run(STAGE, "planted errors mended or put to review", "no planted error in view")
        return
    yield ScoreRow(
        STAGE,
        "planted errors mended or put to review",
        mean([key in mended | asked | gone for key in errors]),
        "clean labels put to review",
        mean([key in asked for key in clean]),
        len(errors),
        f"{sum(key in mended for key in errors)} mended, "
        f"{sum(key in asked - mended for key in errors)} put to review",
    )


def score_pseudo(scoring: Scoring) -> Iterator[ScoreRow]:
    """Pseudo labels of the last round, class by class, where the class is in view."""
    labels = scoring.catalog.rows(Label, origin="pseudo")
    if not labels:
        yield not_run("fuse", "pseudo labels, mean DSC")
        return
    last = max(label.round for label in labels)
    cases = set(scoring.good_cases())
    own: dict[str, list[float]] = defaultdict(list)
    borrowed: dict[str, list[float]] = defaultdict(list)
    absent: list[bool] = []
    for label in labels:
        name = label.class_id
        if label.round != last or label.case_id not in cases or name not in classes(scoring):
            continue
        truth = scoring.true_mask(label.case_id, name)
        if not truth.any():
            absent.append(label.voxels == 0)
            continue
        own[name].append(dsc(scoring.label_mask(label), truth))
        donor = _donor(scoring, label.case_id, name)
        if donor:
            mask = scoring.borrowed_mask(label.case_id, donor, name)
            borrowed[name].append(dsc(mask, truth))
    if not own:
        yield not_run("fuse", "pseudo labels, mean DSC", "none on an undamaged scan")
        return
    beside = "another patient's mask"
    yield ScoreRow(
        "fuse",
        "pseudo labels, mean DSC",
        mean([mean(values) for values in own.values()]),
        beside,
        mean([mean(values) for values in borrowed.values()]),
        sum(map(len, own.values())),
        "mean over classes, class in view",
    )
    for name in classes(scoring):
        if name in own:
            yield ScoreRow(
                "fuse",
                f"pseudo label DSC, {name}",
                mean(own[name]),
                beside,
                mean(borrowed[name]),
                len(own[name]),
            )
    if absent:
        yield ScoreRow(
            "fuse",
            "absent structures left empty",
            mean(absent),
            "always empty",
            1.0,
            len(absent),
        )


def classes(scoring: Scoring) -> tuple[str, ...]:
    """All classes that have a truth."""
    return tuple(scoring.data["classes"])


def _donor(scoring: Scoring, case: str, class_id: str) -> str:
    """Another patient's undamaged scan that shows the class; the next one in case order."""
    order = sorted(scoring.good_cases())
    person = scoring.entries[case]["person"]
    start = order.index(case)
    for other in order[start + 1 :] + order[:start]:
        entry = scoring.entries[other]
        if entry["person"] != person and entry["volumes_ml"][class_id] > 0:
            return other
    return ""


def _score(scoring: Scoring, label: Label) -> float:
    return dsc(scoring.label_mask(label), scoring.true_mask(label.case_id, label.class_id))
