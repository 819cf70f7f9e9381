"""What became of the errors on one scan: its decisions, told in order, as label errors."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from labeling.errors.kinds import KINDS, OF_EFFECTS, Clues, clues_of, kind_of, of_volumes
from labeling.errors.record import LabelError, Past, Prices, Scope, Standing
from labeling.errors.words import found_by, in_words
from labeling.expert.calibration import chance_told
from labeling.expert.repairs import DRAWN
from voxcurate.catalog import Decision, Label

LEAST_SHARE = 0.05  # of a drawing: what a rule takes away less is a border drawn differently
STAGES = (
    "fuse",
    "detect",
    "regions",
    "judge",
    "refine",
    "roc",
    "review",
    "labels",
)  # in a round's order
VERDICTS: Mapping[str, tuple[str, ...]] = {  # what is read of each stage
    "fuse": ("rule_removed", "rule_moved", "rule_broken"),
    "detect": ("suspect_label",),
    "regions": ("leave_out", "doubtful_region"),
    "judge": ("keep", "replace", "remove", "to_review"),
    "roc": ("remove", "missed", "contradicts", "erase", "lesions_drawn"),
    "review": ("confirm", "accept", "revised", "retire"),
    "labels": ("undo",),
}
MACHINES = {"pseudo": "ensemble", "original": "source", "revised": "person"}
MADE_OF = {"report": "report", "ensemble": "ensemble", "empty": "ensemble"}


@dataclass
class Incident:
    """An error while its story is being told."""

    label_id: str
    class_id: str
    round: int
    scope: Scope
    standing: Standing = "open"
    kind: str = ""  # told by whoever found it; empty: by the clues
    clues: Clues = field(default_factory=Clues)
    probability: float | None = None
    found_by: tuple[str, ...] = ()
    witnesses: tuple[str, ...] = ()
    mended: str = ""
    by: str = ""
    mended_round: int = 0
    instead: str = ""
    chosen: str = ""
    overlap: float | None = None
    seen: set[int] = field(default_factory=set)
    seconds: float = 0.0
    minutes: float = 0.0

    def close(self, standing: Standing, how: str, decision: Decision) -> None:
        """Say what became of it, and who said so."""
        self.standing, self.mended, self.by = standing, how, decision.actor
        self.mended_round = decision.round if how else 0


def errors_of(past: Past, pairs: Mapping[str, str], prices: Prices) -> list[LabelError]:
    """The errors of one scan, in the order in which they were found.

    Args:
        past: its decisions and label versions.
        pairs: class to that of the other side; empty for none.
        prices: of people's time.
    """
    own: dict[str, list[Decision]] = {}
    for decision in past.decisions:
        if decision.class_id and decision.verdict in VERDICTS.get(decision.stage, ()):
            own.setdefault(decision.class_id, []).append(decision)
    found: list[LabelError] = []
    for class_id, decisions in sorted(own.items()):
        teller = _Teller(past, class_id, bool(pairs.get(class_id, "")), prices)
        for decision in in_order(decisions):
            teller.hear(decision)
        found += teller.told()
    return sorted(found, key=lambda e: (e.round, e.class_id, e.label_id, e.kind))


def in_order(decisions: Iterable[Decision]) -> list[Decision]:
    """As they were made; of one second, in the order of the stages."""
    place = {stage: n for n, stage in enumerate(STAGES)}
    return sorted(
        decisions,
        key=lambda d: (d.round, d.created, place.get(d.stage, len(STAGES)), d.decision_id),
    )


def drawn_by(
    label: Label | None, models: Mapping[str, str], labels: Mapping[str, Label] | None = None
) -> str:
    """Who or what drew a version, in a word that is the same from round to round.

    Args:
        label: None: nobody drew anything.
        models: id to name.
        labels: where the version's parent is looked for: a version that only leaves regions out
            has its parent's voxels.
    """
    if label is None:
        return "nobody"
    if label.origin in MACHINES:
        return MACHINES[label.origin]
    name = label.model_id
    parent = (labels or {}).get(label.parent)
    if not name and parent is not None:
        return drawn_by(parent, models)
    if is_repair(name):
        return "repair"
    if name.startswith("refined_"):
        return "refinement"
    return MADE_OF.get(name, models.get(name, name or "judge"))


def is_repair(candidate: str) -> bool:
    """Whether a candidate was made from the label itself."""
    return candidate.startswith((*DRAWN, "filled"))


class _Teller:
    """Hears the decisions on one structure and keeps the incidents by the label at fault."""

    def __init__(self, past: Past, class_id: str, is_paired: bool, prices: Prices) -> None:
        self.past, self.class_id, self.prices = past, class_id, prices
        self.clues = Clues(is_paired=is_paired)
        self.all: list[Incident] = []
        self.of: dict[str, Incident] = {}
        self.broken: dict[str, list[Mapping[str, Any]]] = {}

    def hear(self, d: Decision) -> None:
        """Take one decision."""
        heard = {
            "fuse": self._fused, "detect": self._suspected, "regions": self._doubted,
            "judge": self._judged, "roc": self._lesion, "review": self._reviewed,
            "labels": self._undone,
        }[d.stage]  # fmt: skip
        heard(d)

    def incident(self, d: Decision, label_id: str = "", **known: Any) -> Incident:
        """That of a label; a new one if there is none, or an earlier round has closed it."""
        label_id = label_id or d.label_id
        found = self.of.get(label_id)
        if found is None or (found.mended and found.mended_round < d.round):
            label = self.past.labels.get(label_id)
            is_fresh = label is not None and label.origin in ("pseudo", "judged")
            is_drawing = is_fresh and label is not None and label.round == d.round
            found = Incident(label_id, self.class_id, d.round, "drawing" if is_drawing else "label")
            found.clues = replace(self.clues, ml=None if label is None else label.ml)
            for name, value in known.items():
                setattr(found, name, value)
            self.all.append(found)
            self.of[label_id] = found
        found.seen.add(d.round)
        return found

    def _fused(self, d: Decision) -> None:
        if d.verdict == "rule_broken":
            self.broken[d.label_id] = list(d.evidence.get("broken", ()))
            return
        label = self.past.labels.get(d.label_id)
        taken = float(d.evidence.get("ml") or 0.0)
        whole = taken + (label.ml if label is not None else 0.0)
        if not whole or taken < LEAST_SHARE * whole:
            return
        kind = OF_EFFECTS.get(str(d.evidence.get("rule", "")), "unclear")
        key = f"{d.label_id} {kind}"
        if key not in self.of:
            made = Incident(d.label_id, self.class_id, d.round, "drawing", kind=kind)
            made.found_by = ("fusion",)
            made.clues = replace(self.clues, ml=label.ml if label is not None else None)
            self.all.append(made)
            self.of[key] = made
        made = self.of[key]
        made.witnesses = (*made.witnesses, d.reason)
        made.seen.add(d.round)
        made.close("mended", "rule", d)

    def _suspected(self, d: Decision) -> None:
        found = self.incident(d)
        evidence = d.evidence
        found.probability = chance_told(evidence)
        found.found_by = found_by(evidence.get("parts", {})) or ("models",)
        found.witnesses = in_words(evidence)
        if evidence.get("kind") in KINDS:
            found.kind = str(evidence["kind"])
        clues = clues_of(evidence, is_paired=found.clues.is_paired)
        found.clues = replace(clues, ml=found.clues.ml if clues.ml is None else clues.ml)
        if found.standing == "kept":
            found.standing, found.by = "open", ""  # until the judge says so again

    def _doubted(self, d: Decision) -> None:
        """Regions that the models contradict, in a label that is right as a whole."""
        found = self.incident(d, found_by=("models",), witnesses=(d.reason,))
        regions = sorted(d.evidence.get("regions", ()), key=lambda r: -float(r["ml"]))
        is_beyond = not regions or regions[0]["side"] == "inside"
        found.kind = "dilated" if is_beyond else "cut_off"
        if d.verdict == "leave_out":
            found.close("mended", "ignored", d)
            found.instead = d.other_label

    def _judged(self, d: Decision) -> None:
        if d.verdict == "keep" and d.label_id not in self.of:
            return  # a doubtful drawing that is all right
        found = self.incident(d)
        found.seconds += self.past.judge_seconds.get(d.round, 0.0)
        if not found.found_by:
            broken = self.broken.get(d.label_id, [])
            found.found_by = ("rules", "judge") if broken else ("judge",)
            found.clues = replace(found.clues, rules=broken)
            found.witnesses = tuple(str(v["detail"]) for v in broken[:4]) or (d.reason,)
        names, choice = d.evidence.get("candidates", ()), d.evidence.get("choice")
        better = self.past.labels.get(d.other_label)
        if choice and choice < len(names):
            found.chosen, found.instead = str(names[choice]), d.other_label
            found.overlap = _nth(d.evidence.get("dsc_with_first", ()), choice)
        if d.verdict == "keep":
            found.close("kept", "", d)
        elif d.verdict == "to_review":
            found.close("open", "", d)
        else:
            how = "repair" if is_repair(found.chosen) else "prediction"
            found.close("mended", "removed" if d.verdict == "remove" else how, d)
            found.clues = replace(
                found.clues,
                chosen=found.chosen,
                removed=d.verdict == "remove",
                other_ml=better.ml if better is not None else found.clues.other_ml,
                kept=found.overlap,
            )

    def _lesion(self, d: Decision) -> None:
        if d.verdict == "erase" and d.evidence.get("kind") == "candidate":
            key = f"{d.label_id} {d.evidence.get('number')}"
            found = self.of.get(key)
            if found is None:
                found = Incident(d.label_id, self.class_id, d.round, "drawing")
                found.kind, found.found_by = "false_positive", ("person",)
                self.all.append(found)
                self.of[key] = found
            found.seen.add(d.round)
            found.witnesses = (f"candidate {d.evidence.get('number')}, erased",)
            found.close("verified", "retired", d)
            found.minutes = self._time(d, self.prices.look)
            return
        if d.verdict == "erase":
            return  # the answers on the whole structure follow
        if d.verdict == "lesions_drawn":
            if d.label_id in self.of or not d.label_id:
                self._answered(d)
            return
        kind = "missing" if d.verdict == "missed" else "false_positive"
        found = self.incident(d, found_by=("report",), kind=kind)
        found.witnesses = (*found.witnesses, d.reason)
        if d.verdict == "remove":
            found.close("mended", "report", d)
            found.instead = d.other_label

    def _answered(self, d: Decision) -> None:
        found = self.incident(d)
        if not found.found_by:
            found.found_by = ("person",)
        if d.other_label and d.other_label != d.label_id:
            found.close("verified", "redrawn", d)
            found.instead = d.other_label
        else:
            found.close("refuted", "", d)
        found.minutes += self._time(d, self.prices.look)

    def _reviewed(self, d: Decision) -> None:
        is_right = d.verdict == "confirm" or (d.verdict == "accept" and d.other_label == d.label_id)
        if is_right and d.label_id not in self.of:
            return
        found = self.incident(d)
        if not found.found_by:
            found.found_by, found.witnesses = ("person",), (d.reason,) if d.reason else ()
        if is_right:
            found.close("refuted", "", d)
        else:
            how = {"revised": "redrawn", "accept": "accepted", "retire": "retired"}[d.verdict]
            found.close("verified", how, d)
            found.instead = "" if d.verdict == "retire" else d.other_label
            self._learn(found, d)
        drawing = self.prices.draw.get(self.class_id, self.prices.draw_other)
        found.minutes += self._time(d, drawing if d.verdict == "revised" else self.prices.look)

    def _learn(self, found: Incident, d: Decision) -> None:
        """What a person's answer says of the kind of an error that only people saw."""
        if found.clues.parts or found.clues.rules or found.kind:
            if d.verdict == "retire":
                found.clues = replace(found.clues, removed=True)
            return
        better = self.past.labels.get(found.instead)
        after = 0.0 if d.verdict == "retire" else (better.ml if better is not None else None)
        found.kind = of_volumes(found.clues.ml, after)

    def _undone(self, d: Decision) -> None:
        """`label_id` counts again, `other_label` no longer does."""
        mended = self.of.get(d.label_id)
        back = self.of.get(d.other_label)
        if mended is not None and mended.instead == d.other_label:
            mended.close("refuted", "", d)
        elif back is not None and back.instead == d.label_id and back.standing == "refuted":
            back.close("verified", "taken_back", d)  # and back again
        elif d.other_label:
            found = self.incident(d, d.other_label)
            if not found.found_by:
                found.found_by, found.witnesses = ("person",), (d.reason,) if d.reason else ()
            found.close("verified", "taken_back", d)
            found.instead = d.label_id
            self._learn(found, d)

    def _time(self, d: Decision, usual: float) -> float:
        """Minutes of a person: what was written down, else what it usually takes."""
        if "minutes" in d.cost:
            return float(d.cost["minutes"])
        return float(d.cost["seconds"]) / 60.0 if "seconds" in d.cost else usual

    def told(self) -> list[LabelError]:
        """The errors, each with the earlier one that it repeats."""
        found: list[LabelError] = []
        for incident in self.all:
            label = self.past.labels.get(incident.label_id)
            made = LabelError(
                case_id=self.past.case_id,
                class_id=self.class_id,
                source=self.past.source,
                round=incident.round,
                scope=incident.scope,
                label_id=incident.label_id,
                drawn_by=drawn_by(label, self.past.models, self.past.labels),
                kind=incident.kind or kind_of(incident.clues),
                probability=incident.probability,
                found_by=incident.found_by,
                witnesses=incident.witnesses,
                standing=incident.standing,
                mended=incident.mended,
                by=incident.by,
                mended_round=incident.mended_round,
                instead=incident.instead,
                chosen=incident.chosen,
                overlap=incident.overlap,
                seen=tuple(sorted(incident.seen)),
                seconds=round(incident.seconds, 3),
                minutes=round(incident.minutes, 3),
                ml=incident.clues.ml,
            )
            found.append(self._as_repeated(made, found) if made.is_error else made)
        return found

    def _as_repeated(self, error: LabelError, earlier: Iterable[LabelError]) -> LabelError:
        for old in reversed(list(earlier)):
            if not (old.mended and old.is_error and old.mended_round < error.round):
                continue
            is_heir = bool(old.instead) and old.instead in self._lineage(error.label_id)
            if is_heir or old.scope == error.scope:
                return replace(error, again=old.kind, again_round=old.round, is_relapse=is_heir)
        return error

    def _lineage(self, label_id: str) -> set[str]:
        """A version and those that it was made from."""
        found: set[str] = set()
        while label_id and label_id not in found:
            found.add(label_id)
            label = self.past.labels.get(label_id)
            label_id = label.parent if label is not None else ""
        return found


def _nth(values: Any, n: int | None) -> float | None:
    return values[n] if n is not None and n < len(values) and values[n] is not None else None
