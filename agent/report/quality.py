"""Sections on the models: DSC and NSD on the frozen test split against the last round, training."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agent.report import charts
from agent.report.blocks import Block, Card, Chart, Gallery, Picture, Section, Table, Text
from agent.report.drawing import View
from agent.report.pictures import OTHER, REFERENCE, Album, Drawn, Mask
from agent.report.statistics import paired_change
from agent.report.view import RoundView
from voxcurate.catalog import Measure, Model, Scan, WorkItem
from voxcurate.errors import CurationError
from voxcurate.ids import content_id
from voxcurate.intervals import Estimate, mean_interval

METRICS = {"dsc": "DSC", "nsd": "NSD"}
VIEWS: tuple[View, ...] = ("coronal", "axial")
MOST_WORST = 6
MOST_POINTS = 400  # of one training curve


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
    last = flagship(view, view.measures_before, view.number_before)
    before = _table(view, view.measures_before, last)
    patients = {case: scan.patient for case, scan in view.scans.items()}
    found = {}
    for metric, tables in now.items():
        old = before.get(metric, {})
        for class_id in [*tables, ""]:
            chosen = {c: t for c, t in tables.items() if class_id in {c, ""}}
            former = {c: t for c, t in old.items() if c in chosen}
            seed = int(content_id(view.ctx.seed, class_id, metric)[:8], 16)
            estimate = mean_interval(chosen, patients, seed=seed)
            if estimate is not None:
                found[class_id, metric] = Score(
                    estimate,
                    mean_interval(former, patients, seed=seed),
                    paired_change(chosen, former, patients, seed=seed),
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
    blocks: list[Block] = [*_about_model(view, model_id)]
    blocks += [_plot(view, found, classes), *_score_tables(view, found, classes)]
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
    points: dict[str, dict[float, float]] = defaultdict(dict)
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            step = float(entry["step"])
        except (ValueError, KeyError, TypeError):
            continue
        for name in ("loss", "lr", "dice"):
            value = entry.get(name)
            if isinstance(value, list) and value:  # one per class
                value = sum(value) / len(value)
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
) -> dict[str, dict[str, dict[str, float]]]:
    """Metric -> class -> case -> value of one model."""
    table: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for m in _on_test(view, measures):
        if m.model_id == model_id and m.value is not None:
            table[m.name][m.class_id][m.case_id] = m.value
    return {metric: dict(classes) for metric, classes in table.items()}


def _about_model(view: RoundView, model_id: str) -> list[Text]:
    model = view.models.get(model_id)
    cases = {m.case_id for m in _on_test(view, view.measures) if m.model_id == model_id}
    if model is None:
        return [Text(f"Model {model_id}; measured on {len(cases)} test scans.")]
    people = {view.scans[c].patient for c in model.training_cases if c in view.scans}
    seen = sorted(c for c in cases if c in model.training_cases or view.scans[c].patient in people)
    words = (
        f"Model {model.name} ({model.architecture}), trained on {len(model.training_cases)} scans, "
        f"measured on {len(cases)} test scans"
    )
    if seen:
        warning = f"The figures are not valid: the model has seen {len(seen)} of these patients."
        return [Text(words + "."), Text(warning, "warn")]
    return [Text(words + " of patients that it has not seen.")]


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
    labels = (f"round {view.number}", f"round {view.number_before}")
    alt = "; ".join(
        f"{_name(view, c)}: {METRICS[m]} {s.now.mean:.3f}" for (c, m), s in sorted(found.items())
    )
    return Chart(charts.dots("quality", panels, labels=labels), alt)


def _triple(estimate: Estimate) -> tuple[float, float | None, float | None]:
    return (estimate.mean, estimate.low, estimate.high)


def _score_tables(
    view: RoundView, found: Mapping[tuple[str, str], Score], classes: Sequence[str]
) -> list[Table]:
    tables = []
    for metric, name in METRICS.items():
        rows = []
        for class_id in classes:
            score = found.get((class_id, metric))
            if score is not None:
                rows.append([_name(view, class_id), score.now.n, *_cells(score)])
                if metric == "dsc":
                    rows[-1].append(_people(view, class_id))
        if rows:
            head = ["class", "scans", f"{name} (95 % interval)", "last round", "change"]
            head += ["two people"] if metric == "dsc" else []
            tables.append(Table(head, rows, name, frozenset(range(1, len(head)))))
    note = (
        "Change: mean difference on the scans that both rounds measured. Two people: DSC between "
        "two annotators, where it is published."
    )
    return [*tables[:-1], replace(tables[-1], note=note)] if tables else []


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
    if class_id not in view.ctx.vocabulary:
        return "–"
    known = view.ctx.vocabulary[class_id].inter_annotator_dsc
    return f"{known:.2f}" if known is not None else "–"


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
        shots = _worst_pictures(view, album, model_id, m.case_id, m.class_id)
        surface = nsd.get((m.case_id, m.class_id))
        line = f"DSC {m.value:.3f}" + (f", NSD {surface:.3f}" if surface is not None else "")
        cards.append(Card(f"{view.class_name(m.class_id)}, {m.case_id}", shots, [line]))
    return Gallery(cards) if cards else None


def _worst_pictures(
    view: RoundView, album: Album, model_id: str, case: str, class_id: str
) -> list[Picture]:
    scan, label = view.scans.get(case), view.current(case, class_id)
    drawn: dict[str, Drawn] = {}
    said = []
    if label is not None:
        drawn["truth"] = (label, REFERENCE)
        said.append("reference in blue")
    path = _prediction_path(view, model_id, case)
    if scan is not None and path.is_file():
        drawn["model"] = (lambda: _predicted(path, class_id, scan), OTHER)
        said.append("model in orange")
    what = ", ".join(said) or "nothing drawn"
    return [album.show(case, scan, drawn, what, view=plane) for plane in VIEWS]


def _prediction_path(view: RoundView, model_id: str, case: str) -> Path:
    """Where the ledger says the prediction lies (it may come from an earlier round)."""
    where = {"round": view.number, "stage": "predict", "status": "done"}
    for line in view.ctx.catalog.rows(WorkItem, subject=case, variant=model_id, **where):
        if "path" in line.result:
            return view.ctx.workspace.root / str(line.result["path"])
    return view.ctx.workspace.prediction_path(view.number, model_id, case)


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
        means = [mean_interval(table.get(metric, {}), {}, seed=0) for metric in METRICS]
        n_cases = max(estimate.n for estimate in means if estimate is not None)
        numbers = ["–" if e is None else f"{e.mean:.3f}" for e in means]
        rows.append((_model_name(view.models.get(other), other), n_cases, *numbers))
    head = ("model", "scans", *(f"{name}, mean of the classes" for name in METRICS.values()))
    return Table(head, rows, "Other models of the round", frozenset({1, 2, 3}))


def _model_name(model: Model | None, model_id: str) -> str:
    return f"{model.name} ({model.architecture})" if model else model_id
