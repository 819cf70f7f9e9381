"""The judge on files alone: a scan, candidates for one label, trusted cases, or a vision model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxcurate.errors import ConfigError, CurationError, GeometryError

if TYPE_CHECKING:
    from labeling.expert.suspicion import Usual
    from labeling.structures import Structure
    from labeling.vision.judge import VisionJudge
    from voxcurate.classes import Vocabulary
    from voxcurate.protocols import Verdict
    from voxcurate.volume import Volume

NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Reference:
    """Trusted cases: scan and structures, those that can be read.

    Attributes:
        folder: label maps or masks, by case.
        scans: their CTs; None: ``ct.nii.gz`` in the cases' folders.
        failed: case to why it could not be read; filled while it is read.
    """

    folder: Path
    scans: Path | None = None
    failed: dict[str, str] = field(default_factory=dict)

    def cases(self, vocabulary: "Vocabulary") -> "Iterator[tuple[Volume, dict[str, Structure]]]":
        """Case by case, in the order of their names."""
        from labeling.rules.files import find_scans, read_case
        from voxcurate.case_files import find_cases
        from voxcurate.labelmaps import same_affine
        from voxcurate.readers import read_volume

        found = find_cases(self.folder, vocabulary)
        scans = find_scans(self.scans or self.folder, found)
        for name, files in found.items():
            try:
                if name not in scans:
                    raise GeometryError("no scan of this case")
                volume, structures = read_volume(scans[name]), read_case(files)
                for s in structures.values():
                    if s.shape != volume.shape or not same_affine(s.affine, volume.affine):
                        raise GeometryError(f"mask {s.class_id} lies on another grid than the scan")
            except CurationError as error:
                self.failed[name] = str(error)
                continue
            yield volume, structures


def read_candidates(
    scan: Path, masks: Sequence[Path], class_id: str
) -> "tuple[Volume, list[Structure]]":
    """The scan and the candidates, which must lie on its grid.

    Raises:
        VolumeReadError: a file cannot be read; names its role.
        GeometryError: a candidate lies on another grid.
    """
    from labeling.structures import Structure
    from voxcurate.labelmaps import same_affine
    from voxcurate.readers import read_volume

    volume = read_volume(scan)
    found = []
    for name, path in zip(NAMES, masks, strict=False):
        mask = read_volume(path, role=f"mask {name}")
        if mask.shape != volume.shape or not same_affine(mask.affine, volume.affine):
            raise GeometryError(f"mask {name} lies on another grid than the scan")
        found.append(Structure.of(class_id, mask.array != 0, volume.affine))
    return volume, found


def by_shape(
    volume: "Volume",
    class_id: str,
    candidates: "Sequence[Structure]",
    *,
    vocabulary: "Vocabulary",
    reference: Reference | None,
    context: "Mapping[str, Structure]",
    modality: str,
    settings: Mapping[str, Any],
) -> "tuple[str, Verdict]":
    """The judge without a network: what is usual among trusted cases, and the written anatomy."""
    from labeling.config import LabelingConfig
    from labeling.expert.judge import ShapeJudge
    from labeling.rules import load_anatomy
    from labeling.rules.files import facts_of
    from voxcurate.config import build

    config = build(LabelingConfig, {"judge": dict(settings)})
    anatomy = load_anatomy(vocabulary, config.rules.anatomy, config.rules.weights)
    others = {c: s for c, s in context.items() if c != class_id}
    judge = ShapeJudge(
        _usual(reference, vocabulary, config.judge.minimum_n),
        anatomy,
        config.judge,
        context=others,
        facts=facts_of(others, volume if modality == "CT" else None),
    )
    return f"{judge.name} {judge.version}", judge.compare(volume, class_id, list(candidates))


def by_vision(
    volume: "Volume",
    class_id: str,
    candidates: "Sequence[Structure]",
    *,
    vocabulary: "Vocabulary",
    reference: Reference | None,
    engine: Mapping[str, Any],
    root: Path,
    modality: str,
    settings: Mapping[str, Any],
) -> "tuple[str, Verdict]":
    """A vision-language model's judge; answers and the log of calls are kept in `root`."""
    from labeling.vision.config import VisionConfig
    from labeling.vision.judge import make_vision_judge
    from voxcurate.chat import EngineConfig
    from voxcurate.config import build

    config = build(VisionConfig, dict(settings))
    made = make_vision_judge(
        build(EngineConfig, dict(engine)),
        root=root,
        vocabulary=vocabulary,
        config=config,
        modality=modality,
    )
    if reference is not None and config.examples:
        made.examples[class_id] = _examples(made, reference, vocabulary, class_id)
    return f"{made.name} {made.version}", made.judge(volume, class_id, list(candidates))


def told(judge: str, class_id: str, verdict: "Verdict", n: int) -> dict[str, Any]:
    """A verdict as plain data; candidates are called A, B, C."""
    names = NAMES[:n]
    reasons = [verdict.reason]
    for name, mark in zip(names, verdict.evidence.get("marks", ()), strict=False):
        reasons += [f"{name}: {text}" for text in mark["violations"]]
        odd = {k: z for k, z in mark["oddities"].items() if abs(z) >= 2}
        if odd:
            shown = ", ".join(f"{k} {z:+.1f} SD" for k, z in odd.items())
            reasons.append(f"{name}: unusual {shown}")
    for row in verdict.evidence.get("comparisons", ()):
        pair = f"{names[row['champion']]} against {names[row['challenger']]}"
        winner = {"first": names[row["champion"]], "second": names[row["challenger"]]}
        outcome = winner.get(row["outcome"], row["outcome"].replace("_", " "))
        reasons.append(f"{pair}: {outcome}")
        errors = {order["error"] for order in row.get("orders", ()) if "error" in order}
        reasons += [f"{pair}: {error}" for error in sorted(errors)]
    return {
        "class": class_id,
        "winner": None if verdict.choice is None else names[verdict.choice],
        "probability": verdict.confidence,
        "reasons": reasons,
        "judge": judge,
        "evidence": dict(verdict.evidence),
    }


def _usual(reference: Reference | None, vocabulary: "Vocabulary", minimum_n: int) -> "Usual":
    """Profiles and layout of trusted cases; nothing without them."""
    from labeling.body import body_frame
    from labeling.expert.features import features
    from labeling.expert.layout import Layout, learn_layout
    from labeling.expert.shape import learn_profile
    from labeling.expert.suspicion import Usual

    if reference is None:
        return Usual({}, Layout({}))
    vectors: dict[str, list[Any]] = {}
    places = []
    for volume, structures in reference.cases(vocabulary):
        frame = body_frame(volume.array, volume.affine)
        there = {c: s for c, s in structures.items() if not s.is_empty}
        for class_id, s in there.items():
            vectors.setdefault(class_id, []).append(features(s, volume.array, frame))
        places.append({c: s.centroid for c, s in there.items()})
    if not places:
        raise ConfigError("--reference: no trusted case can be read")
    profiles = {c: learn_profile(c, v, minimum_n=minimum_n) for c, v in vectors.items()}
    known = {c: p for c, p in profiles.items() if p is not None}
    return Usual(known, learn_layout(places, minimum_n=minimum_n))


def _examples(
    judge: "VisionJudge", reference: Reference, vocabulary: "Vocabulary", class_id: str
) -> list[Any]:
    found = []
    for volume, structures in reference.cases(vocabulary):
        if class_id in structures and not structures[class_id].is_empty:
            found.append(judge.example(volume, class_id, structures[class_id]))
        if len(found) >= judge.config.examples:
            break
    return found
