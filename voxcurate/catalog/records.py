"""The catalog's records, one frozen dataclass per table; fields are the columns."""

from dataclasses import dataclass, field
from typing import Any, Literal

Split = Literal["train", "validation", "test"]
Origin = Literal["original", "revised", "judged", "pseudo", "synthetic"]
NO_ROUND = 0  # what was there before the first round (ingest)


@dataclass(frozen=True)
class Scan:
    """A scan of the workspace, standardised: ``scans/<case_id>/ct.nii.gz``.

    `patient` is a keyed hash. `split` is frozen at ingest for the patient and for the whole
    duplicate group.
    `status` is what cleaning says: ``ok``, ``suspect`` (stays), ``rejected`` or ``duplicate``
    (both leave).
    `facts` holds de-identified metadata (sex, age, phase, manufacturer, day: days since the
    patient's first
    scan) and `fingerprint` the perceptual hash and pixel hash.
    """

    case_id: str
    source: str
    patient: str
    duplicate_group: str
    split: Split
    modality: str
    path: str
    sha256: str
    shape: list[int]
    spacing: list[float]
    affine: list[list[float]]
    licence: str = "unknown"
    facts: dict[str, Any] = field(default_factory=dict)
    fingerprint: dict[str, Any] = field(default_factory=dict)
    complete: list[str] = field(default_factory=list)
    status: Literal["ok", "suspect", "rejected", "duplicate"] = "ok"
    status_reason: str = ""


@dataclass(frozen=True)
class ScanHead(Scan):
    """A scan whose fingerprint, most of its row, was not read.

    It cannot be written, for that would lose the fingerprint: to change a scan, read it whole.
    """

    fingerprint: dict[str, Any] = field(init=False, repr=False, compare=False)


@dataclass(frozen=True)
class ScanPair:
    """Two scans, `first` < `second`, that are one or belong to one study, and what says so.

    `kind` is what cleaning found (an exact copy, a transformed one, another phase of the study);
    `version` is that of the search.
    """

    first: str
    second: str
    kind: str
    version: str
    round: int
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """A scrubbed report; `case_id` is empty while no scan is linked."""

    report_id: str
    case_id: str
    patient: str
    source: str
    text: str
    link: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FindingRow:
    """One answer read from a report (`voxcurate.protocols.Finding`), and the sentence that says so.

    `start` and `stop` are the sentence's span in the report's text, `mentions` further spans.
    """

    report_id: str
    question: str
    case_id: str
    value: str
    number: float | None
    unit: str
    choice: str
    sentence: str
    section: str
    confidence: float
    reader: str
    round: int
    start: int = 0
    stop: int = 0
    rule: str = ""
    side: str = ""
    change: str = ""
    items: list[str] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    mentions: list[list[int]] = field(default_factory=list)
    supported: bool = True


@dataclass(frozen=True)
class Reading:
    """That a report was read, by which reader, and how that went; its answers are findings.

    `content` is a hash of what was read. ``failed`` is tried again by the next run, ``unreadable``
    (no words in it, say) only when the report or the reader has changed. `facts`: what else the
    reader tells of it: costs, disagreements.
    """

    report_id: str
    content: str
    reader: str
    status: Literal["read", "failed", "unreadable"]
    round: int
    n_findings: int = 0
    error: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Label:
    """An immutable label version of one class on one scan; an empty `path` is an empty mask.

    `known_path` is the mask of voxels the label speaks about (empty: all of them). The flags are
    the only
    columns that ever change, each change with its decision.
    """

    label_id: str
    case_id: str
    class_id: str
    origin: Origin
    parent: str
    model_id: str
    round: int
    path: str
    known_path: str
    sha256: str
    ml: float
    voxels: int
    facts: dict[str, Any] = field(default_factory=dict)
    gold: bool = False
    confirmed: bool = False
    retired: bool = False


@dataclass(frozen=True)
class LabelHead(Label):
    """A label version whose facts were not read."""

    facts: dict[str, Any] = field(init=False, repr=False, compare=False)


@dataclass(frozen=True)
class Assembly:
    """The pointer: which label version counts for a class of a scan, as of a round."""

    round: int
    case_id: str
    class_id: str
    label_id: str
    trust: str


@dataclass(frozen=True)
class Decision:
    """Who decided what about which label or scan, why, on what evidence, at what cost."""

    decision_id: str
    round: int
    stage: str
    case_id: str
    class_id: str
    label_id: str
    verdict: str
    reason: str
    actor: str
    other_label: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    created: str = ""


@dataclass(frozen=True)
class Model:
    """A trained model: a MONAI bundle under ``models/<round>/<name>/`` and what it was trained
    on."""

    model_id: str
    round: int
    name: str
    architecture: str
    path: str
    sha256: str
    classes: list[str]
    training_cases: list[str]
    licence: str = "unknown"
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measure:
    """A number about a case (and class, and model) found in a round: dsc, nsd, attention_mm3,
    ..."""

    round: int
    stage: str
    case_id: str
    class_id: str
    model_id: str
    name: str
    value: float | None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Round:
    """One curation round: its resolved configuration, versions and seed, and how it stands."""

    number: int
    status: Literal["running", "waiting", "done", "failed"]
    config: dict[str, Any]
    versions: dict[str, Any]
    seed: int
    started: str
    finished: str = ""
    stop_reason: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class WorkItem:
    """A ledger line: one unit of work of one stage in one round, by the fingerprint of its
    inputs. `cores` and `gpus` are those that it had for its `seconds`; no cores: nobody told."""

    round: int
    stage: str
    subject: str
    variant: str
    fingerprint: str
    status: Literal["done", "failed", "quarantined"]
    attempts: int = 1
    error: str = ""
    seconds: float = 0.0
    peak_mb: float = 0.0
    result: dict[str, Any] = field(default_factory=dict)
    updated: str = ""
    cores: float = 0.0
    gpus: float = 0.0


@dataclass(frozen=True)
class WorkHead(WorkItem):
    """A ledger line whose result was not read."""

    result: dict[str, Any] = field(init=False, repr=False, compare=False)
