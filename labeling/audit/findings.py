"""One line per label: how likely it is wrong, what kind of error it would be, and who says so."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any, Literal

from labeling.config import DetectConfig
from labeling.errors.kinds import KINDS, MEANT, clues_of, kind_of
from labeling.errors.words import FEATURES
from labeling.expert.suspicion import Suspicion, Usual, evidence_of
from labeling.expert.tot import RELIABLE
from labeling.rules import Violation
from voxcurate.classes import Vocabulary

Status = Literal["suspect", "no doubt", "unknown"]
TOLD = 0.1  # chance from which a witness is quoted
ODD = 2.0  # SD from which a feature is named
SEEN = 0.05  # of the label: of what is too much and smaller nobody asks where it lies
NAMING = ("tot_swapped", "tot_wrong_class", "tot_missing")  # say what the label shows instead


@dataclass(frozen=True)
class Finding:
    """What is known of one label.

    Attributes:
        case, class_id: whose.
        probability: that it is wrong, recalibrated (`labeling.expert.calibration`); None where
            the status is ``unknown``.
        evidence: noisy-or of the witnesses, which the threshold is held against.
        status: ``suspect`` from the threshold on, and where nothing but the written rules can
            tell and a hard one is broken; ``no doubt`` where the models or the usual shape could
            object and do not; else ``unknown``, never fine.
        kind: of `labeling.errors.kinds.KINDS`; empty where there is no doubt.
        witnesses: witness to what it says, in words with numbers; also why one says nothing.
        parts: witness to its chance.
        ml, predicted_ml: volumes of label and prediction; None without a prediction.
        dsc, nsd: of label and prediction.
        better: name of the candidate that the judge prefers to the label; empty: none.
        better_dsc: of the label and that candidate.
        better_confidence: that it is the better one.
        label_id: of the version, in a workspace.
        became: what was decided, in a workspace.
    """

    case: str
    class_id: str
    probability: float | None
    evidence: float
    status: Status
    kind: str = ""
    witnesses: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, float] = field(default_factory=dict)
    ml: float | None = None
    predicted_ml: float | None = None
    dsc: float | None = None
    nsd: float | None = None
    better: str = ""
    better_dsc: float | None = None
    better_confidence: float | None = None
    label_id: str = ""
    became: Sequence[str] = ()

    @property
    def kind_name(self) -> str:
        """The kind for people."""
        return KINDS[self.kind].name if self.kind else ""

    @property
    def strongest(self) -> str:
        """What the witness says that speaks most plainly against the label: what it shows instead,
        the written rule that it breaks, else whoever is surest."""
        told = {k for k, chance in self.parts.items() if chance >= MEANT}
        plain = [k for k in (*NAMING, "rules") if k in told]  # they name what is wrong
        loudest = max(sorted(self.parts), key=lambda k: self.parts[k], default="tot_outlier")
        return self.witnesses.get(_witness_of(plain[0] if plain else loudest), "")

    @property
    def why(self) -> str:
        """What the witnesses say, in one line."""
        return "; ".join(self.witnesses.values())

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        data = {**asdict(self), "kind_name": self.kind_name, "why": self.why}
        data["class"] = data.pop("class_id")
        return data


def _witness_of(part: str) -> str:
    if part.startswith("tot_"):
        return "models"
    return {"doubt": "probabilities", "rules": "rules"}.get(part, "shape")


_ORDER: Mapping[Status, int] = {"suspect": 0, "unknown": 1, "no doubt": 2}


def rank(findings: Iterable[Finding]) -> list[Finding]:
    """The most suspicious first; of equals what is unknown, then what agrees least with models."""
    return sorted(
        findings,
        key=lambda f: (
            f.status != "suspect",
            -f.evidence,
            _ORDER[f.status],
            1.0 if f.dsc is None else f.dsc,
            f.case,
            f.class_id,
        ),
    )


def findings_of(
    suspicions: Iterable[Suspicion],
    usual: Usual,
    config: DetectConfig,
    vocabulary: Vocabulary,
    *,
    has_scan: Callable[[str], bool] = lambda _: True,
) -> Iterator[Finding]:
    """The lines of labels, in their order.

    Args:
        suspicions: their witnesses, case by case.
        usual: what they were compared with.
        config: thresholds.
        vocabulary: names and pairs.
        has_scan: whether a case has one; without, nothing is known of density and of the body.
    """
    for case, found in groupby(suspicions, key=lambda s: s.case_id):
        own = list(found)
        accused = {s.row["class_id"] for s in own if s.probability >= config.threshold}
        for s in own:
            yield _finding(s, usual, vocabulary, status_of(s, usual, accused), has_scan(case))


def status_of(s: Suspicion, usual: Usual, accused: Collection[str]) -> Status:
    """What is to be thought of a label.

    Where neither models nor the usual shape can tell, a broken rule that anatomy knows no exception
    to is enough, unless a structure that is accused itself breaks it, too.

    Args:
        s: its witnesses.
        usual: what they were compared with.
        accused: classes of the case whose evidence reaches the threshold.
    """
    if s.row["class_id"] in accused:
        return "suspect"
    if can_object(s.row, usual):
        return "no doubt"
    broken = [Violation(**v) for v in s.row["violations"]]
    return "suspect" if any(v.hard and v.other not in accused for v in broken) else "unknown"


def _finding(
    suspicion: Suspicion, usual: Usual, vocabulary: Vocabulary, status: Status, has_scan: bool
) -> Finding:
    row, comparison = suspicion.row, suspicion.row["comparison"]
    class_id = str(row["class_id"])
    said = _said(suspicion, usual, vocabulary)
    if not has_scan:
        said["scan"] = "no scan: nothing is known of its density and of the body around it"
    predicted = comparison["predicted_ml"] if comparison["n_models"] > 0 else None
    kind = ""
    if status == "suspect":
        is_paired = bool(class_id in vocabulary and vocabulary[class_id].pair)
        kind = kind_of(clues_of(evidence_of(suspicion, usual), is_paired=is_paired))
    return Finding(
        case=suspicion.case_id,
        class_id=class_id,
        probability=None if status == "unknown" else round(suspicion.chance, 4),
        evidence=round(suspicion.probability, 4),
        status=status,
        kind=kind,
        witnesses=said,
        parts={k: round(p, 4) for k, p in sorted(suspicion.parts.items())},
        ml=round(comparison["label_ml"], 4),
        predicted_ml=None if predicted is None else round(predicted, 4),
        dsc=_rounded(comparison["dsc"]),
        nsd=_rounded(comparison["nsd"]),
        label_id=str(row.get("label_id", "")),
    )


def can_object(row: Mapping[str, Any], usual: Usual) -> bool:
    """Whether a witness could have objected to a label: models that never saw it and whose
    agreement with the class is known, or the usual shape of the class.

    The written rules alone clear no label: most errors break none.
    """
    comparison = row["comparison"]
    known = usual.agreement.get(row["class_id"])
    if comparison["out_of_fold"] and known is not None and known.reliability > 0:
        if comparison["n_models"] and comparison["dsc"] is not None:
            return True
        if comparison["n_models"] and comparison["label_ml"] == 0:
            return True
    return row["features"] is not None and row["class_id"] in usual.profiles


def _said(s: Suspicion, usual: Usual, vocabulary: Vocabulary) -> dict[str, str]:
    row = s.row
    return {
        "models": _models(s, usual, vocabulary),
        "probabilities": _probabilities(s, usual),
        "rules": "; ".join(Violation(**v).text() for v in row["violations"])
        or "rules: none of the written ones is broken",
        "shape": _shape(s, usual),
    }


def _models(s: Suspicion, usual: Usual, vocabulary: Vocabulary) -> str:
    comparison, class_id = s.row["comparison"], s.row["class_id"]
    n, dsc = comparison["n_models"], comparison["dsc"]
    if not n:
        return "models: no predictions"
    if dsc is None and not comparison["predicted_ml"] and not comparison["label_ml"]:
        return "models: nothing there either"
    if dsc is None:
        return "models: none knows this class"
    found = "" if comparison["out_of_fold"] else " trained on these very labels"
    words = [f"DSC {dsc:.2f} with {n} model{'s' if n > 1 else ''}{found}"]
    is_another = bool({"tot_swapped", "tot_wrong_class"} & set(s.parts))
    if is_another:
        best = comparison["best_class"]
        name = (vocabulary[best].name if best in vocabulary else "") or best
        words.insert(0, f"it fits the predicted {name} (DSC {comparison['best_dsc']:.2f})")
    known = usual.agreement.get(class_id)
    n_known = known.n if known else 0
    if known is not None and n_known and known.middle < RELIABLE[0]:
        words.append(
            f"they do not find this class (DSC {known.middle:.2f} of {n_known} labels): that "
            "they disagree says nothing"
        )
    elif known is None or not known.reliability:
        words.append(f"what is usual is unknown ({n_known} labels to learn from)")
    else:
        words.append(f"usual {known.middle:.2f} ± {known.scatter:.2f} of {known.n} labels")
    words.append(
        f"label {comparison['label_ml']:.3g} mL, predicted {comparison['predicted_ml']:.3g} mL"
    )
    lost = s.row.get("difference") or {}
    if lost and s.probability >= TOLD:
        words.append(f"lacks {lost['lost_ml']:.3g} mL, has {lost['more_ml']:.3g} mL more")
        is_much = lost["more_ml"] >= SEEN * comparison["label_ml"]
        if lost["more_in_share"] >= 0.5 and is_much and not is_another:
            words.append(f"most of that is predicted {lost['more_in'].replace('_', ' ')}")
    return "models: " + ", ".join(words)


def _probabilities(s: Suspicion, usual: Usual) -> str:
    doubt, known = s.row["doubt"], usual.doubts.get(s.row["class_id"])
    if doubt is None:
        return "probabilities: none"
    inside, outside = doubt[0], doubt[1]
    words = f"probabilities: doubt {inside:.3g} mL of it and miss {outside:.3g} mL"
    if known is None:
        return f"{words}, what is usual is unknown"
    return f"{words}, {max(known.z(doubt)):+.1f} SD from the usual"


def _shape(s: Suspicion, usual: Usual) -> str:
    if s.row["features"] is None:
        chance = s.parts.get("absent")
        if chance:
            return f"shape: empty, though it should be in view (chance {chance:.2f})"
        return "shape: empty"
    profile = usual.profiles.get(s.row["class_id"])
    if profile is None:
        return "shape: what is usual is unknown"
    odd = ", ".join(
        f"{FEATURES.get(k, k)} {z:+.1f} SD" for k, z in s.oddities.items() if abs(z) >= ODD
    )
    return f"shape: {odd or 'usual'}, of {profile.n} trusted labels"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
