"""Who agrees with whom, and whether machines' labels lean towards one architecture."""

from collections.abc import Iterable, Mapping

from agent.report.blocks import Block, Chart, Section, Table, Text
from agent.report.heat_map import Interval, Values, forest, triangles
from agent.report.view import RoundView
from labeling.statistics.agreement import Agreement, stored
from labeling.statistics.figures import EVERY, Cell, Pair
from labeling.statistics.label_bias import FEWEST_PATIENTS, Bias
from voxcurate.intervals import Estimate

TITLE = "Who agrees with whom"
MOST_RATERS = 8  # with more, only the mean over the classes is drawn
MOST_PANELS = 25
VERDICTS = {
    "towards": "lean towards it",
    "away": "lean away from it",
    "none": "no lean to be seen",
}


def agreement(view: RoundView) -> Section:
    """Triangles of DSC between networks and labels, and the label bias."""
    found = stored(view.ctx, view.number)
    if found is None:
        why = "Models and labels were not compared in this round."
        return Section("agreement", TITLE, empty=why)
    if not found.matrix.get(EVERY):
        return Section("agreement", TITLE, empty=why_empty(found))
    chart, alt = _triangles(view, found)
    blocks: list[Block] = [Chart(chart, alt), _pairs(view, found), *_bias(found)]
    return Section("agreement", TITLE, blocks, about=about(found))


def why_empty(found: Agreement) -> str:
    """Why there is no matrix, in words."""
    if not found.n_eligible:
        return "No scan of the round has predictions of a model."
    if not found.n_cases:
        return "The settings ask for no comparison of models and labels (statistics.cases is 0)."
    return (
        f"{found.n_cases} scans were looked at, and no two raters (models, machines' labels, "
        "people's labels) show the same structure in one."
    )


def about(found: Agreement) -> str:
    """What was compared, and by which rules."""
    return (
        f"Mean DSC of every two on {found.n_cases} of {found.n_eligible} scans with predictions, "
        f"drawn by a hash, of {found.patients} patients. A network and a person are compared on "
        "scans alone that the network was not trained on; so are two machines, unless there is no "
        "such scan. Empty in both: not counted; in one: 0. A cell is of the scans and classes "
        "that its two have in common, so cells side by side may be of different ones."
    )


def _triangles(view: RoundView, found: Agreement) -> tuple[str, str]:
    place = {r.rater_id: i for i, r in enumerate(found.raters)}
    classes = [c for c in view.classes if c in found.matrix]
    is_small = len(found.raters) <= MOST_RATERS and len(classes) < MOST_PANELS
    panels: dict[str, Values] = {}
    for class_id in [EVERY, *(classes if is_small and len(classes) > 1 else [])]:
        title = view.class_name(class_id) if class_id else _mean_of(view, classes)
        panels[title] = {
            (max(place[a], place[b]), min(place[a], place[b])): cell.mean
            for (a, b), cell in found.matrix[class_id].items()
        }
    names = [r.name for r in found.raters]
    name_of = {r.rater_id: r.name for r in found.raters}
    said = [
        f"{name_of[a]} and {name_of[b]} {cell.mean:.2f}"
        for (a, b), cell in found.matrix[EVERY].items()
    ]
    return triangles("agreement", panels, names), f"Mean DSC: {'; '.join(said[:15])}"


def _mean_of(view: RoundView, classes: list[str]) -> str:
    return "mean over classes" if len(classes) != 1 else view.class_name(classes[0])


def _pairs(view: RoundView, found: Agreement) -> Table:
    """The mean over classes of each pair with its number of scans."""
    name = {r.rater_id: r.name for r in found.raters}
    rows = [
        [
            name[a],
            name[b],
            f"{cell.mean:.3f}{'*' if cell.seen else ''}",
            cell.n,
            _worst(view, found, (a, b)),
        ]
        for (a, b), cell in found.matrix[EVERY].items()
    ]
    note = "The least: the class with the smallest mean DSC of the two."
    if any(cell.seen for cell in found.matrix[EVERY].values()):
        note += " *: scans that one of the two was trained on; there are no others."
    return Table(
        ("one", "other", "mean DSC", "scans", "the least"), rows, "The same in numbers",
        frozenset({2, 3}), note, is_folded=True,
    )  # fmt: skip


def _worst(view: RoundView, found: Agreement, pair: Pair) -> str:
    cells: Mapping[str, Cell] = {
        c: cells[pair] for c, cells in found.matrix.items() if c and pair in cells
    }
    if not cells:
        return "–"
    least = min(cells, key=lambda c: (cells[c].mean, c))
    return f"{view.class_name(least)} {cells[least].mean:.3f}"


def _bias(found: Agreement) -> list[Block]:
    blocks: list[Block] = [Text("Do machines' labels lean towards one architecture?", "strong")]
    blocks += [Text(line, mood) for mood, line in bias_words(found)]
    shown = [b for b in found.bias if b.paired is not None or b.counting is not None]
    if not shown:
        return blocks
    labels = ("fused labels, same structures", "machines' labels in use, other structures")
    rows = [(b.architecture, _bounds(b.paired), _bounds(b.counting)) for b in shown]
    unit = "excess agreement with machines' labels (DSC)"
    alt = "; ".join(f"{b.architecture}: {interval(b.paired)}" for b in shown)
    chart = Chart(forest("bias", rows, labels=labels, unit=unit), alt)
    head = (
        "architecture", "DSC with people", "DSC with fused labels", "bias, same structures",
        "patients", "bias, labels in use", "patients", "machines' labels",
    )  # fmt: skip
    table = Table(head, bias_rows(shown), "Label bias", frozenset(range(1, 7)), BIAS_NOTE)
    return [*blocks, chart, table]


BIAS_NOTE = (
    "Bias: an architecture's lead (its DSC with a label minus the others' mean DSC with it) on "
    "machines' labels minus its lead on people's labels; a better network leads on both and has "
    "none. Intervals: 95 % bootstrap over patients. Same structures: the fused label beside a "
    "person's. Labels in use: those made by machines, on structures where no person drew."
)


def bias_rows(found: Iterable[Bias]) -> list[list[str | int]]:
    """One line an architecture, for people."""
    return [
        [
            b.architecture,
            "–" if b.with_human is None else f"{b.with_human.mean:.3f}",
            "–" if b.with_machine is None else f"{b.with_machine.mean:.3f}",
            interval(b.paired),
            b.patients,
            interval(b.counting),
            b.counting_patients,
            VERDICTS.get(verdict_of(b), "too few patients to tell"),
        ]
        for b in found
    ]


def verdict_of(bias: Bias) -> str:
    """By the same structures if these tell, else by the labels in use."""
    verdict = bias.verdict()
    return verdict if verdict != "unknown" else bias.verdict("counting")


def interval(estimate: Estimate | None) -> str:
    """``+0.012 (-0.003 to +0.027)``."""
    if estimate is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.mean:+.3f}"
    return f"{estimate.mean:+.3f} ({estimate.low:+.3f} to {estimate.high:+.3f})"


def bias_words(found: Agreement) -> list[tuple[str, str]]:
    """What the bias says: (mood, sentence)."""
    families = {r.architecture or r.name for r in found.raters if r.kind == "model"}
    if len(families) < 2:
        return [
            (
                "warn",
                f"All models share one architecture ({', '.join(families) or 'none'}): every label "
                "that they make leans towards it, and nothing here can show how far. Add a network "
                "of another design.",
            )
        ]
    if all(b.paired is None and b.counting is None for b in found.bias):
        return [
            (
                "",
                "Not measured: on no scan are there labels of people and of machines and two "
                "architectures that were not trained on it.",
            )
        ]
    lean = [b for b in found.bias if verdict_of(b) == "towards"]
    known = [b for b in found.bias if verdict_of(b) != "unknown"]
    if lean:
        names = ", ".join(b.architecture for b in lean)
        return [
            (
                "warn",
                f"Machines' labels lean towards {names}: whoever is compared on them should know. "
                "Networks of other designs in the fusion, or labels drawn by people, mend it.",
            )
        ]
    if not known:
        return [("", f"Fewer than {FEWEST_PATIENTS} patients can be compared: too few to tell.")]
    return [
        ("good", "No: no architecture agrees with machines' labels more than people's labels say.")
    ]


def _bounds(estimate: Estimate | None) -> Interval | None:
    return None if estimate is None else (estimate.mean, estimate.low, estimate.high)
