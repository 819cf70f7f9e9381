"""Scores of error detection and attention, against planted label errors and true error volumes."""

import math
from collections.abc import Iterator

from agent.score.statistics import auroc, hits, mean, spearman
from agent.score.table import ScoreRow, not_run
from agent.score.truth import Scoring
from voxcurate.catalog import Decision, Label, Measure

STAGE = "detect"
Key = tuple[str, str]


def score_detection(scoring: Scoring) -> Iterator[ScoreRow]:
    """Suspicion of labels as they came, in the first round that looked at them."""
    measures = scoring.catalog.rows(Measure, name="error_probability")
    if not measures:
        yield not_run(STAGE, "planted label errors, AUROC")
        return
    first = min(m.round for m in measures)
    probability = {
        (m.case_id, m.class_id): m.value
        for m in measures
        if m.round == first and m.value is not None
    }
    wrong = labelled_pairs(scoring)
    scope = {key: is_wrong for key, is_wrong in wrong.items() if key in probability}
    unseen = sum(wrong.values()) - sum(scope.values())
    if not scope:
        yield not_run(STAGE, "planted label errors, AUROC", "no original label was looked at")
        return
    scores = [probability[key] for key in scope]
    prevalence = mean(list(scope.values()))
    yield ScoreRow(
        STAGE,
        "planted label errors, AUROC",
        auroc(scores, list(scope.values())),
        "chance",
        0.5,
        len(scope),
        f"{unseen} planted errors were not looked at" if unseen else "",
    )
    yield from _flags(scoring, scope, prevalence, first)


def _flags(
    scoring: Scoring, scope: dict[Key, bool], prevalence: float, first: int
) -> Iterator[ScoreRow]:
    true = {key for key, is_wrong in scope.items() if is_wrong}
    suspects = scoring.catalog.rows(Decision, stage="detect", verdict="suspect_label", round=first)
    flagged = {(d.case_id, d.class_id) for d in suspects} & set(scope)
    zero = {
        (m.case_id, m.class_id)
        for m in scoring.catalog.rows(Measure, name="tot_dsc", round=first)
        if m.value == 0
    } & set(scope)
    scored, plain = hits(flagged, true), hits(zero, true)
    missed = sorted(scoring.entries[case]["labels"][name]["error"] for case, name in true - flagged)
    note = f"missed: {', '.join(missed)}" if missed else ""
    plain_name = "test-on-training DSC = 0"
    yield ScoreRow(
        STAGE, "flagged labels, recall", scored.recall, plain_name, plain.recall, len(true), note
    )
    yield ScoreRow(
        STAGE,
        "flagged labels, precision",
        scored.precision,
        plain_name,
        plain.precision,
        scored.n_found,
    )
    yield ScoreRow(
        STAGE,
        "flagged labels, precision over chance",
        scored.precision,
        "share of wrong labels",
        prevalence,
        scored.n_found,
    )


def labelled_pairs(scoring: Scoring) -> dict[Key, bool]:
    """(case, class) of original labels on undamaged train and validation scans -> planted error."""
    cases = set(scoring.good_cases("train", "validation"))
    return {
        (case, name): bool(scoring.entries[case]["labels"][name]["error"])
        for case, name in scoring.originals
        if case in cases and name in scoring.entries[case]["labels"]
    }


def score_attention(scoring: Scoring) -> Iterator[ScoreRow]:
    """Attention of the first round against the true error volume of that round's pseudo labels."""
    measures = scoring.catalog.rows(Measure, name="attention_mm3")
    labels = scoring.catalog.rows(Label, origin="pseudo")
    rounds = {m.round for m in measures} & {x.round for x in labels}
    if not rounds:
        yield not_run("attention", "case attention against true error, Spearman")
        return
    first = min(rounds)
    cases = set(scoring.good_cases())
    error: dict[Key, float] = {}
    for label in labels:
        key = (label.case_id, label.class_id)
        if label.round == first and label.case_id in cases and _is_scored(scoring, label):
            wrong = scoring.label_mask(label) ^ scoring.true_mask(*key)
            spacing = scoring.scans[label.case_id].spacing
            error[key] = float(wrong.sum()) * math.prod(spacing)
    seen = {
        (m.case_id, m.class_id): m.value
        for m in measures
        if m.round == first and m.value is not None
    }
    by_case: dict[str, float] = {}
    for (case, _), volume in error.items():
        by_case[case] = by_case.get(case, 0.0) + volume
    common = sorted(case for case in by_case if (case, "") in seen)
    yield ScoreRow(
        "attention",
        "case attention against true error, Spearman",
        spearman([seen[case, ""] for case in common], [by_case[case] for case in common]),
        "chance",
        0.0,
        len(common),
    )
    pairs = sorted(key for key in error if key in seen)
    yield ScoreRow(
        "attention",
        "class attention against true error, Spearman",
        spearman([seen[key] for key in pairs], [error[key] for key in pairs]),
        "chance",
        0.0,
        len(pairs),
    )
    yield _top(common, {case: seen[case, ""] for case in common}, by_case)


def _top(cases: list[str], attention: dict[str, float], error: dict[str, float]) -> ScoreRow:
    """What part of all error the first 5 % (at least one case) of the priority list hold."""
    measure = "error held by the top 5 % of the priority list"
    total = sum(error[case] for case in cases)
    if not cases or not total:
        return not_run("attention", measure, "no error")
    n_top = max(1, math.ceil(0.05 * len(cases)))
    top = sorted(cases, key=lambda case: (-attention[case], case))[:n_top]
    share = sum(error[case] for case in top) / total
    return ScoreRow("attention", measure, share, "drawn at random", n_top / len(cases), len(cases))


def _is_scored(scoring: Scoring, label: Label) -> bool:
    return label.class_id in scoring.data["classes"]
