"""Stage statistics: who agrees with whom on a sample of the scans.

Reads the round's soft predictions again, above the fusion's threshold, with the labels of people
and machines, and counts the DSC of every two (AbdomenAtlas-8K figure 8). One item is one scan.
Test scans count too: their labels are compared, decide nothing and change nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from labeling.config import LabelingConfig
from labeling.predicted import Predictions
from labeling.quality import MACHINE_MADE
from labeling.statistics.agreement_case import RATERS, case_of_json
from labeling.statistics.figures import EVERY, CaseAgreement, Cell, Pair, Rater, dice_matrix
from labeling.statistics.label_bias import COUNTING, FUSED, ORIGINAL, REVISED, Bias, label_bias
from voxcurate.catalog import Label, Measure, Model, Scan, WorkItem
from voxcurate.ids import content_id
from voxcurate.intervals import Estimate
from voxcurate.ledger import Item, run_items
from voxcurate.protocols import DESIGNS
from voxcurate.stage import StageContext, StageResult

STAGE, NAME, VERSION = "statistics", "agreement", "1"
EXTERNAL = "external"  # role of models that were not trained here


@dataclass(frozen=True)
class Agreement:
    """What a round measured.

    Attributes:
        raters: all, models first.
        matrix: as of `labeling.statistics.figures.dice_matrix`.
        bias: as of `labeling.statistics.label_bias.label_bias`.
        n_cases: compared.
        n_eligible: scans with predictions.
        patients: of the cases compared.
    """

    raters: tuple[Rater, ...]
    matrix: Mapping[str, Mapping[Pair, Cell]]
    bias: tuple[Bias, ...]
    n_cases: int
    n_eligible: int
    patients: int

    def of_classes(self, classes: Sequence[str]) -> "Agreement":
        """The matrices of some classes alone; the mean over all classes and the bias stay."""
        kept = {c: cells for c, cells in self.matrix.items() if c in classes or c == EVERY}
        return replace(self, matrix=kept)

    def to_json(self) -> dict[str, Any]:
        """Plain data; `agreement_of_json` reads it."""
        return {
            "raters": [asdict(r) for r in self.raters],
            "matrix": [
                {"class": c, "one": a, "two": b, **asdict(cell)}
                for c, cells in self.matrix.items()
                for (a, b), cell in cells.items()
            ],
            "bias": [asdict(b) for b in self.bias],
            "cases": self.n_cases,
            "eligible": self.n_eligible,
            "patients": self.patients,
        }


def agreement_of_json(plain: Mapping[str, Any]) -> Agreement:
    """What `Agreement.to_json` wrote."""
    matrix: dict[str, dict[Pair, Cell]] = {}
    for row in plain["matrix"]:
        cell = Cell(row["mean"], row["n"], row["seen"])
        matrix.setdefault(row["class"], {})[row["one"], row["two"]] = cell
    estimates = ("with_human", "with_machine", "paired", "counting")
    bias = []
    for row in plain["bias"]:
        read: dict[str, Any] = {k: Estimate(**row[k]) for k in estimates if row[k]}
        bias.append(Bias(**{**row, **read}))
    raters = tuple(Rater(**row) for row in plain["raters"])
    sizes = (plain[name] for name in ("cases", "eligible", "patients"))
    return Agreement(raters, matrix, tuple(bias), *sizes)


def run(ctx: StageContext, config: LabelingConfig) -> StageResult:
    """Compare models, machines' and people's labels on a sample, and keep the result as a Measure.

    The sample is drawn by a hash: half of it scans with people's labels as far as there are any,
    and in each half first the scans that no model was trained on.
    """
    scans = {scan.case_id: scan for scan in ctx.scans()}
    predictions, drawn = Predictions(ctx, config), _drawn_by_people(ctx)
    eligible = {
        case: (_is_new(found), case in drawn)
        for batch in ctx.batches()
        for case, found in predictions.of([scan.case_id for scan in batch]).items()
    }
    chosen = sample(eligible, config.statistics.cases, ctx.seed)
    lines = predictions.of(chosen)
    labels = _labels(ctx, chosen)
    items = [_item(ctx, config, scans[c], lines[c], labels.get(c, {})) for c in chosen]
    done = run_items(
        ctx,
        STAGE,
        items,
        "labeling.statistics.agreement_case:work",
        lambda _writer, _item, value: value,
        version=VERSION,
        config=[config.fuse.threshold, ctx.classes],
    )
    cases = [case_of_json(case, value) for case, value in done.results.items()]
    patients = {case: scans[case].patient for case in chosen}
    raters = _raters(ctx, cases)
    found = Agreement(
        tuple(raters),
        dice_matrix(cases, raters),
        tuple(label_bias(cases, raters, patients, seed=_seed(ctx))),
        len(cases),
        len(eligible),
        len({patients[case.case_id] for case in cases}),
    )
    with ctx.catalog.write() as writer:
        writer.put(Measure(ctx.round, STAGE, "", "", "", NAME, float(len(cases)), found.to_json()))
    counts = {
        "cases": len(cases),
        "eligible": len(eligible),
        "raters": len(raters),
        "computed": done.computed,
        "reused": done.reused,
    }
    return StageResult(counts, done.failed)


def stored(ctx: StageContext, round_number: int | None = None) -> Agreement | None:
    """What a round has measured; None if it has not."""
    number = ctx.round if round_number is None else round_number
    row = ctx.catalog.one(Measure, round=number, stage=STAGE, name=NAME, case_id="")
    return agreement_of_json(row.facts) if row else None


def sample(cases: Mapping[str, tuple[bool, bool]], n: int, seed: int) -> list[str]:
    """At most `n` cases, in order of their names.

    Args:
        cases: case to (no model was trained on it, people have labelled something in it).
        seed: of the hash that draws.
    """
    ranked = sorted(cases, key=lambda c: (not cases[c][0], content_id(STAGE, seed, c)))
    with_labels = [c for c in ranked if cases[c][1]]
    without = [c for c in ranked if not cases[c][1]]
    half = min(len(without), n // 2)
    first = with_labels[: n - half]
    return sorted([*first, *without[: n - len(first)]])


def _item(
    ctx: StageContext,
    config: LabelingConfig,
    scan: Scan,
    lines: Sequence[WorkItem],
    labels: Mapping[str, Mapping[str, Label]],
) -> Item:
    seen = [line.variant for line in lines if not line.result.get("out_of_fold")]
    marks = [[line.variant, line.fingerprint] for line in lines]
    ids = {rater: {c: x.label_id for c, x in own.items()} for rater, own in labels.items()}

    def payload() -> dict[str, Any]:
        return {
            "root": str(ctx.workspace.root),
            "shape": list(scan.shape),
            "classes": list(ctx.classes),
            "threshold": config.fuse.threshold,
            "predictions": {line.variant: line.result["path"] for line in lines},
            "seen": seen,
            "labels": {
                rater: {c: [x.path, x.known_path] for c, x in own.items()}
                for rater, own in labels.items()
            },
        }

    return Item(scan.case_id, "", [marks, seen, ids], payload)


def _drawn_by_people(ctx: StageContext) -> set[str]:
    """Cases in which people have labelled one of the classes."""
    found: set[str] = set()
    where: dict[str, Any] = {"origin": (REVISED, ORIGINAL), "class_id": ctx.classes}
    for batch in ctx.catalog.stream(Label, "case_id", **where):
        found.update(case for (case,) in batch)
    return found


def _labels(ctx: StageContext, cases: Sequence[str]) -> dict[str, dict[str, dict[str, Label]]]:
    """Case -> rater -> class -> label version."""
    some = list(cases)
    where: dict[str, Any] = {"round": ctx.round, "stage": "fuse", "status": "done"}
    lines = ctx.catalog.rows(WorkItem, subject=some, **where)
    newest = {x.subject: x.result for x in sorted(lines, key=lambda x: (x.updated, x.fingerprint))}
    fused = {i for result in newest.values() for i in result.get("labels", {}).values()}
    counting = {p.label_id for p in ctx.catalog.current(ctx.round, case_id=some).values()}
    found: dict[str, dict[str, dict[str, Label]]] = {}
    for label in ctx.catalog.rows(Label, case_id=some):
        if label.class_id not in ctx.classes or label.round > ctx.round:
            continue
        for rater in _raters_of(label, fused, counting):
            own = found.setdefault(label.case_id, {}).setdefault(rater, {})
            old = own.get(label.class_id)
            if old is None or _age(old) < _age(label):
                own[label.class_id] = label
    return found


def _raters_of(label: Label, fused: set[str], counting: set[str]) -> Iterable[str]:
    """Whose label a version is: people's by who drew it, whatever confirmed it since."""
    if label.label_id in fused:
        yield FUSED
    if label.retired:
        return
    if label.label_id in counting and label.origin in MACHINE_MADE:
        yield COUNTING
    if label.origin in (REVISED, ORIGINAL) and "from_copy" not in label.facts:
        yield label.origin


def _age(label: Label) -> tuple[int, int, str]:
    return label.round, int(label.facts.get("revision", 0)), label.label_id


def _is_new(lines: Iterable[WorkItem]) -> bool:
    return all(line.result.get("out_of_fold") for line in lines)


def _raters(ctx: StageContext, cases: Iterable[CaseAgreement]) -> list[Rater]:
    """Those that some pair of the cases has: models by name, then machines' and people's labels."""
    there = {r for case in cases for pairs in case.dsc.values() for pair in pairs for r in pair}
    models = ctx.catalog.rows(Model, model_id=sorted(there - RATERS.keys()))
    named = [Rater(m.model_id, m.name, "model", architecture(m)) for m in models]
    return [
        *sorted(named, key=lambda r: (r.name, r.rater_id)),
        *(rater for rater in RATERS.values() if rater.rater_id in there),
    ]


def architecture(model: Model) -> str:
    """What models of one design share. One from elsewhere stands for itself, unless its kind or its
    settings say what it is."""
    if model.facts.get("role") != EXTERNAL:
        return model.architecture
    spec = model.facts.get("spec", {})
    design = DESIGNS.get(str(spec.get("kind")))
    return design or str(spec.get("architecture") or model.name)


def _seed(ctx: StageContext) -> int:
    return int(content_id(STAGE, ctx.seed)[:8], 16)
