"""The section on verdicts: each judged or suspected label of the round, with pictures."""

from agent.report.annotation import origin_of
from agent.report.blocks import Block, Card, Gallery, Picture, Section, Text, ml
from agent.report.found_errors import TABLE, FoundErrors
from agent.report.pictures import Album
from agent.report.summary import plural
from agent.report.view import RoundView
from labeling.errors import KINDS, LabelError
from labeling.errors.words import became, repeated, undoing
from voxcurate.catalog import Label, LabelHead

TITLE = "Verdicts on labels"
NOT_CHOSEN = "prediction, not chosen"
SIDE = 208  # pixels of a picture's longer side
ABOUT = (
    "The scan summed from front to back, as a vision judge sees it: bare, with the label in red, "
    "and with the candidate in red that won or was proposed, else the prediction. Nothing is lost: "
    "the command at the end of a card takes the decision back."
)


def verdicts(view: RoundView, album: Album, found: FoundErrors) -> Section:
    """The worst labels of the round as cards; all of them are in a table beside the page."""
    told = found.verdicts
    kept = sum(1 for d in view.decided("judge", "keep")) - sum(
        1 for e in told.worst if e.standing == "kept"
    )
    if not told.n:
        why = "No label was suspected or judged wrong in this round."
        return Section("verdicts", TITLE, empty=why)
    versions = _versions(view, told.worst)
    cards = [_card(view, album, error, versions) for error in told.worst]
    left = told.n - len(cards)
    more = f"{left} more are not pictured; all {told.n} are in {TABLE} beside this page."
    text = f"{plural(told.n, 'label')} were suspected or judged in this round; the worst first."
    if kept > 0:
        text += f" The judge also looked at drawings that it kept ({kept} looks with nothing done)."
    blocks: list[Block] = [Text(text), Gallery(cards, more if left > 0 else "")]
    return Section("verdicts", TITLE, blocks, about=ABOUT)


def _versions(view: RoundView, errors: list[LabelError]) -> dict[str, Label]:
    """The label versions that the cards show, by id, and of each structure what the fusion made,
    by case and class."""
    catalog = view.ctx.catalog
    ids = {i for e in errors for i in (e.label_id, e.instead) if i}
    found: dict[str, Label] = {x.label_id: x for x in catalog.rows(LabelHead, label_id=ids)}
    cases = {e.case_id for e in errors}
    for label in catalog.rows(LabelHead, case_id=cases, origin="pseudo", round=view.number):
        found[f"{label.case_id} {label.class_id}"] = label
    return found


def _card(view: RoundView, album: Album, e: LabelError, versions: dict[str, Label]) -> Card:
    case, scan = e.case_id, view.scans.get(e.case_id)
    label = versions.get(e.label_id)
    shots = [album.frontal(case, scan, None, "scan", side=SIDE)]
    if label is not None:
        shots.append(_shot(view, album, label, f"label ({origin_of(label)})"))
    other, name = versions.get(e.instead), "chosen"
    if other is not None and e.standing == "open":
        name = "proposed"
    elif other is None:
        other, name = versions.get(f"{case} {e.class_id}"), NOT_CHOSEN
    if other is not None and (label is None or other.label_id != label.label_id):
        is_named = bool(e.chosen) and name != NOT_CHOSEN
        chosen = f": {e.chosen.replace('_', ' ')}" if is_named else ""
        alike = f", DSC {e.overlap:.2f} with the label" if is_named and e.overlap else ""
        shots.append(_shot(view, album, other, f"{name}{_named(view, chosen)}", alike))
    chance = "not asked" if e.probability is None else f"{e.probability:.2f}"
    drawn = e.drawn_by if e.scope == "label" else f"{e.drawn_by}, in this round"
    facts = [
        ("kind", KINDS[e.kind].name),
        ("chance wrong", chance),
        ("drawn by", drawn + (f"; {ml(e.ml)} mL" if e.ml is not None else "")),
        ("because", "\n".join(e.witnesses) or "nothing is on record"),
        ("decided", _named(view, became(e))),
    ]
    facts += [("again", repeated(e))] if e.again else []
    facts += [("undo" if e.standing != "open" else "to do", undoing(e))] if undoing(e) else []
    title = f"{view.class_name(e.class_id)}, {case}"
    return Card(title, shots, facts=facts)


def _shot(view: RoundView, album: Album, label: Label, what: str, more: str = "") -> Picture:
    scan = view.scans.get(label.case_id)
    if not label.voxels:
        return album.frontal(label.case_id, scan, None, f"{what}: empty", side=SIDE)
    return album.frontal(label.case_id, scan, label, f"{what}, {ml(label.ml)} mL{more}", side=SIDE)


def _named(view: RoundView, text: str) -> str:
    """With models' names in the place of their ids."""
    for model_id, model in view.models.items():
        text = text.replace(model_id, model.name)
    return text
