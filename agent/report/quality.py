"""Sections on the models: DSC and NSD on the frozen test split against the last round, training."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.report import charts
from agent.report.blocks import Block, Card, Chart, Gallery, Picture, Section, Table, Text
from agent.report.pictures import OTHER, REFERENCE, Album, Mask
from agent.report.statistics import Estimate, mean_interval, paired_change
from agent.report.view import RoundView
from voxcurate.catalog import Measure, Model, Scan
from voxcurate.errors import CurationError
from voxcurate.ids import content_id

METRICS = {"dsc": "DSC", "nsd": "NSD"}
MOST_WORST = 6
MOST_POINTS = 400  # of one training curve
Values = Mapping[str, float]  # case -> value


@dataclass(frozen=True)
class Score:
    """One class and metric on test: this round, the last one, and the change on shared cases."""

    now: Estimate
    before: Estimate | None
    change: Estimate | None


def flagship(view: RoundView, measures: Sequence[Measure], number: int) -> str:
    """Id of the model whose test values stand for a round; empty if nothing was evaluated."""
    tested = {m.model_id for m in _on_test(view, measures)}
    if not tested:
        return ""

    def rank(model_id: str) -> tuple[bool, bool, int, str]:
        model = view.models.get(model_id)
        if model is None:
            return (False, False, 0, model_id)
        is_flagship = model.facts.get("role") == "flagship" or model.name == "flagship"
        return (is_flagship, model.round == number, len(model.training_cases), model_id)

    return max(tested, key=rank)


def scores(view: RoundView) -> dict[tuple[str, str], Score]:
    """(class, metric) -> score of the round's flagship; class "" is the mean over the classes."""
    now = _table(view, view.measures, flagship(view, view.measures, view.number))
    last = flagship(view, view.measures_before, view.number - 1)
    before = _table(view, view.measures_before, last)
    patients = {case: scan.patient for case, scan in view.scans.items()}
    found = {}
    for (class_id, metric), values in now.items():
        seed = int(content_id(view.ctx.seed, class_id, metric)[:8], 16)
        old = before.get((class_id, metric), {})
        estimate = mean_interval(values, patients, seed=seed)
        if estimate is not None:
            found[class_id, metric] = Score(
                estimate,
                mean_interval(old, patients, seed=seed),
                paired_change(values, old, patients, seed=seed),
            )
    return found


def quality(view: RoundView, album: Album) -> Section:
    """Table and dot plot of DSC and NSD per class, the worst cases, the other models."""
    title = "Quality on the test split"
    model_id = flagship(view, view.measures, view.number)
    found = scores(view)
    if not found:
        why = "No model was evaluated in this round, or the test split holds no labels."
        return Section("quality", title, empty=why)
    classes = [c for c in [*view.classes, ""] if any((c, m) in found for m in METRICS)]
    blocks: list[Block] = [Text(_about_model(view, model_id))]
    blocks += [_plot(view, found, classes), _score_table(view, found, classes)]
    worst = _worst(view, album, model_id)
    if worst is not None:
        blocks += [Text("The worst test cases by DSC:"), worst]
    others = _others(view, model_id)
    if others is not None:
        blocks.append(others)
    return Section("quality", title, blocks, about=_how(view))


def training(view: RoundView) -> Section:
    """Training curves from ``training/*.jsonl``."""
    title = "Training"
    models: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for path in sorted((view.folder / "training").glob("*.jsonl")):
        curve = read_curve(path)
        if curve:
            known = view.models.get(path.stem)
            models[known.name if known and known.name not in models else path.stem] = curve
    if not models:
        return Section("training", title, empty="No model was trained in this round.")
    picture = charts.curves("training", models)
    ends = [
        f"{name}: {len(curve['loss'])} points, last loss {curve['loss'][-1][1]:.3g}"
        for name, curve in models.items()
        if curve.get("loss")
    ]
    return Section("training", title, [Chart(picture, "; ".join(ends) or "training curves")])


def read_curve(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Quantity -> (step, value) of one log; broken lines (a killed run's last one) are skipped.

    A step that a resumed run logged again counts as it was logged last. Long curves are thinned.
    """
    wanted = ("loss", "lr", "dsc", "val_dsc", "validation_dsc")
    points: dict[str, dict[float, float]] = defaultdict(dict)
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            step = float(entry["step"])
        except (ValueError, KeyError, TypeError):
            continue
        for name in wanted:
            value = entry.get(name)
            if isinstance(value, (int, float)) and value == value:
                points[name][step] = float(value)
    return {name: _thin(sorted(curve.items())) for name, curve in points.items()}


def _thin(curve: list[tuple[float, float]]) -> list[tuple[float, float]]:
    stride = -(-len(curve) // MOST_POINTS)
    return curve[::stride] if (len(curve) - 1) % stride == 0 else [*curve[::stride], curve[-1]]


def _on_test(view: RoundView, measures: Sequence[Measure]) -> list[Measure]:
    """Test values of single cases and classes; the catalog's split decides."""
    return [
        m
        for m in measures
        if m.stage == "evaluate"
        and m.name in METRICS
        and m.value is not None
        and m.class_id
        and m.case_id in view.scans
        and view.scans[m.case_id].split == "test"
    ]


def _table(
    view: RoundView, measures: Sequence[Measure], model_id: str
) -> dict[tuple[str, str], dict[str, float]]:
    """(class, metric) -> case -> value; class "" holds each case's mean over its classes."""
    table: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    own: dict[tuple[str, str], list[float]] = defaultdict(list)
    for m in _on_test(view, measures):
        if m.model_id == model_id and m.value is not None:
            table[m.class_id, m.name][m.case_id] = m.value
            own[m.name, m.case_id].append(m.value)
    for (metric, case), values in sorted(own.items()):
        table["", metric][case] = sum(values) / len(values)
    return dict(table)


def _about_model(view: RoundView, model_id: str) -> str:
    model = view.models.get(model_id)
    cases = {m.case_id for m in _on_test(view, view.measures) if m.model_id == model_id}
    words = f"Model {model_id}"
    if model is not None:
        words = (
            f"Model {model.name} ({model.architecture}), trained on "
            f"{len(model.training_cases)} scans"
        )
    return f"{words}; measured on {len(cases)} test scans that no model has learned from."


def _how(view: RoundView) -> str:
    tools = sorted(
        {
            f"{METRICS[m.name]}: {m.facts['implementation']}"
            for m in _on_test(view, view.measures)
            if m.facts.get("implementation")
        }
    )
    used = f" Implementation: {'; '.join(tools)}." if tools else ""
    return (
        "DSC: share of overlap, 1 is perfect. NSD: share of the surface within the class's "
        "tolerance, 1 is perfect. Intervals: 95 % bootstrap over patients." + used
    )


def _plot(view: RoundView, found: Mapping[tuple[str, str], Score], classes: Sequence[str]) -> Chart:
    panels = {}
    for metric, name in METRICS.items():
        lines = []
        for class_id in classes:
            score = found.get((class_id, metric))
            now = _triple(score.now) if score else None
            before = _triple(score.before) if score and score.before else None
            lines.append((_name(view, class_id), now, before))
        if any(line[1] for line in lines):
            panels[name] = lines
    labels = (f"round {view.number}", f"round {view.number - 1}")
    alt = "; ".join(
        f"{_name(view, c)}: {METRICS[m]} {s.now.mean:.3f}" for (c, m), s in sorted(found.items())
    )
    return Chart(charts.dots("quality", panels, labels=labels), alt)


def _triple(estimate: Estimate) -> tuple[float, float | None, float | None]:
    return (estimate.mean, estimate.low, estimate.high)


def _score_table(
    view: RoundView, found: Mapping[tuple[str, str], Score], classes: Sequence[str]
) -> Table:
    head = ["class", "scans"]
    for name in METRICS.values():
        head += [name, "last round", "change"]
    head.append("two people")
    rows = []
    for class_id in classes:
        counts = [found[class_id, m].now.n for m in METRICS if (class_id, m) in found]
        row: list[Any] = [_name(view, class_id), max(counts)]
        for metric in METRICS:
            score = found.get((class_id, metric))
            row += ["–"] * 3 if score is None else _cells(score)
        row.append(_people(view, class_id))
        rows.append(row)
    note = (
        "In brackets the 95 % interval. Change: mean difference on the scans that both rounds "
        "measured. Two people: DSC between two annotators where it is published."
    )
    return Table(head, rows, "Per class", frozenset(range(1, len(head))), note)


def _cells(score: Score) -> list[str]:
    return [
        interval(score.now),
        "–" if score.before is None else f"{score.before.mean:.3f}",
        "–" if score.change is None else interval(score.change, sign=True),
    ]


def interval(estimate: Estimate, *, sign: bool = False) -> str:
    """``0.873 (0.84 to 0.90)``; only the mean where there is no interval."""
    form = "+.3f" if sign else ".3f"
    text = format(estimate.mean, form).replace("-", "−")
    if estimate.low is None or estimate.high is None:
        return text
    small = "+.2f" if sign else ".2f"
    low, high = (format(v, small).replace("-", "−") for v in (estimate.low, estimate.high))
    return f"{text} ({low} to {high})"


def _people(view: RoundView, class_id: str) -> str:
    known = view.ctx.vocabulary[class_id] if class_id in view.ctx.vocabulary else None
    return f"{known.inter_annotator_dsc:.2f}" if known and known.inter_annotator_dsc else "–"


def _name(view: RoundView, class_id: str) -> str:
    return view.class_name(class_id) if class_id else "mean of the classes"


def _worst(view: RoundView, album: Album, model_id: str) -> Gallery | None:
    own = [m for m in _on_test(view, view.measures) if m.model_id == model_id and m.name == "dsc"]
    own.sort(key=lambda m: (m.value or 0.0, m.case_id, m.class_id))
    nsd = {
        (m.case_id, m.class_id): m.value
        for m in _on_test(view, view.measures)
        if m.model_id == model_id and m.name == "nsd"
    }
    cards = []
    for m in own[:MOST_WORST]:
        picture = _worst_picture(view, album, model_id, m.case_id, m.class_id)
        surface = nsd.get((m.case_id, m.class_id))
        line = f"DSC {m.value:.3f}" + (f", NSD {surface:.3f}" if surface is not None else "")
        cards.append(Card(f"{view.class_name(m.class_id)}, {m.case_id}", [picture], [line]))
    return Gallery(cards) if cards else None


def _worst_picture(
    view: RoundView, album: Album, model_id: str, case: str, class_id: str
) -> Picture:
    scan, label = view.scans.get(case), view.current(case, class_id)
    drawn: dict[str, Any] = {}
    said = []
    if label is not None:
        drawn["truth"] = (label, REFERENCE)
        said.append("reference in blue")
    path = view.ctx.workspace.prediction_path(view.number, model_id, case)
    if scan is not None and path.is_file():
        drawn["model"] = (lambda: _predicted(path, class_id, scan), OTHER)
        said.append("model in orange")
    return album.labels(case, scan, drawn, ", ".join(said) or "nothing drawn")


def _predicted(path: Path, class_id: str, scan: Scan) -> Mask:
    from voxcurate.predictions import open_prediction

    full = open_prediction(path).full(class_id)
    if full.shape != tuple(scan.shape):
        raise CurationError("the prediction has another shape than its scan")
    mask: Mask = full >= 128
    return mask


def _others(view: RoundView, model_id: str) -> Table | None:
    ids = sorted({m.model_id for m in _on_test(view, view.measures)} - {model_id})
    if not ids:
        return None
    rows = []
    for other in ids:
        table = _table(view, view.measures, other)
        means = [table.get(("", metric), {}) for metric in METRICS]
        model = view.models.get(other)
        numbers = [f"{sum(v.values()) / len(v):.3f}" if v else "–" for v in means]
        rows.append((_model_name(model, other), len(means[0] or means[1]), *numbers))
    head = ("model", "scans", *(f"{name}, mean of the classes" for name in METRICS.values()))
    return Table(head, rows, "Other models of the round", frozenset({1, 2, 3}))


def _model_name(model: Model | None, model_id: str) -> str:
    return f"{model.name} ({model.architecture})" if model else model_id
