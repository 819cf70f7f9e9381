"""Label bias: do a machine's labels agree with one architecture more than people's labels do?

AbdomenAtlas-8K (arXiv:2305.09666, sections 4.2 and 5) warns that labels made by one architecture
favour it wherever they are used as the truth, and shows the DSC of each architecture with people
(figure 8). Here the warning is a number with an interval. Pure; `agreement` measures.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from labeling.statistics.figures import CaseAgreement, Rater
from voxcurate.intervals import Estimate, difference_interval, mean_interval

FUSED, COUNTING = "ensemble", "counting"  # raters: the round's fused label; a machine's that counts
REVISED, ORIGINAL = "revised", "original"
FEWEST_PATIENTS = 5  # fewer say nothing about a bias
Table = dict[str, dict[str, float]]  # class -> case -> value


@dataclass(frozen=True)
class Bias:
    """How much more a machine's labels agree with one architecture than people's labels do.

    An architecture's lead on a label is its DSC with the label minus the mean DSC of the other
    architectures with it. A lead that people's labels give as well is quality; what a machine's
    labels give on top of it is bias.

    Attributes:
        architecture: which.
        with_human: mean DSC with people's labels, on structures that also have a fused label.
        with_machine: mean DSC with the fused labels of the same structures.
        paired: lead on fused labels minus lead on people's labels, same structures.
        counting: lead on the machines' labels that count minus lead on people's labels; these are
            other structures, for a person's label counts where there is one.
    """

    architecture: str
    with_human: Estimate | None = None
    with_machine: Estimate | None = None
    paired: Estimate | None = None
    counting: Estimate | None = None
    patients: int = 0
    counting_patients: int = 0

    def verdict(self, which: Literal["paired", "counting"] = "paired") -> str:
        """``towards``, ``away``, ``none`` (the interval holds 0) or ``unknown`` (fewer than five
        patients)."""
        found = self.paired if which == "paired" else self.counting
        n = self.patients if which == "paired" else self.counting_patients
        if found is None or found.low is None or found.high is None or n < FEWEST_PATIENTS:
            return "unknown"
        return "towards" if found.low > 0 else "away" if found.high < 0 else "none"


def label_bias(
    cases: Sequence[CaseAgreement],
    raters: Sequence[Rater],
    patients: Mapping[str, str],
    *,
    seed: int = 0,
) -> list[Bias]:
    """The bias of each architecture, by name; empty with fewer than two architectures.

    On each structure only networks count that were not trained on the case, and only if they are of
    two architectures or more. Means are over classes of means over cases, intervals a 95 %
    bootstrap over patients.

    Args:
        cases: with the raters `FUSED`, `COUNTING`, `REVISED`, `ORIGINAL` where there are such
            labels; a revised label stands for people before an original one.
        raters: whose models are compared.
        patients: case to patient.
        seed: of the bootstrap.
    """
    families: dict[str, list[str]] = defaultdict(list)
    for rater in raters:
        if rater.kind == "model":
            families[rater.architecture or rater.name].append(rater.rater_id)
    if len(families) < 2:
        return []
    found = {name: _Evidence() for name in families}
    for case in cases:
        for class_id in sorted(case.dsc):
            _collect(case, class_id, families, found)
    return [_bias(name, found[name], patients, seed) for name in sorted(families)]


@dataclass
class _Evidence:
    """What the structures say of one architecture."""

    human: Table = field(default_factory=dict)
    machine: Table = field(default_factory=dict)
    paired: Table = field(default_factory=dict)
    human_lead: Table = field(default_factory=dict)
    counting_lead: Table = field(default_factory=dict)


def _collect(
    case: CaseAgreement,
    class_id: str,
    families: Mapping[str, Sequence[str]],
    found: Mapping[str, _Evidence],
) -> None:
    def put(table: Table, value: float) -> None:
        table.setdefault(class_id, {})[case.case_id] = value

    fresh = {name: [m for m in ids if m not in case.seen] for name, ids in families.items()}
    per_label = {
        label: _agreements(case, class_id, label, fresh)
        for label in (FUSED, COUNTING, REVISED, ORIGINAL)
    }
    human = per_label[REVISED] or per_label[ORIGINAL]
    human_leads, counting_leads = _leads(human), _leads(per_label[COUNTING])
    both = sorted(human.keys() & per_label[FUSED].keys())
    paired_human = _leads({name: human[name] for name in both})
    paired_fused = _leads({name: per_label[FUSED][name] for name in both})
    for name, evidence in found.items():
        if name in paired_human:
            put(evidence.human, human[name])
            put(evidence.machine, per_label[FUSED][name])
            put(evidence.paired, paired_fused[name] - paired_human[name])
        if name in human_leads:
            put(evidence.human_lead, human_leads[name])
        if name in counting_leads:
            put(evidence.counting_lead, counting_leads[name])


def _agreements(
    case: CaseAgreement, class_id: str, label: str, families: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Architecture -> mean DSC of its networks with a label."""
    found = {}
    for name, ids in families.items():
        values = [v for m in ids if (v := case.between(class_id, m, label)) is not None]
        if values:
            found[name] = float(np.mean(values))
    return found


def _leads(values: Mapping[str, float]) -> dict[str, float]:
    """Each value minus the mean of the others; nothing with fewer than two."""
    if len(values) < 2:
        return {}
    total, others = sum(values.values()), len(values) - 1
    return {name: value - (total - value) / others for name, value in values.items()}


def _bias(name: str, e: _Evidence, patients: Mapping[str, str], seed: int) -> Bias:
    def people(*tables: Table) -> int:
        sets = [
            {patients.get(case, case) for column in table.values() for case in column}
            for table in tables
        ]
        return min(map(len, sets))

    return Bias(
        name,
        mean_interval(e.human, patients, seed=seed),
        mean_interval(e.machine, patients, seed=seed),
        mean_interval(e.paired, patients, seed=seed),
        difference_interval(e.counting_lead, e.human_lead, patients, seed=seed),
        people(e.paired),
        people(e.counting_lead, e.human_lead),
    )
