"""From a run's payload to the sites of its lesion classes, and to the cases they grow in."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.config import TrainingConfig
from training.data.cases import PreparedCase
from training.synthetic.samples import Site


def read_sites(
    tumours: Mapping[str, Any], classes: Sequence[str], config: TrainingConfig
) -> dict[int, Site]:
    """Sites by position of the lesion class; plain ones come from `health.lesion_sites`.

    Args:
        tumours: ``sites``, and ``cases`` (case to lesion class to proof) or None.
        classes: that are trained.
    """
    place = {name: n for n, name in enumerate(classes)}
    proofs = tumours["cases"] or {}
    found = {}
    for lesion, plain in tumours["sites"].items():
        parts = {key: tuple(place[c] for c in plain[key] if c in place) for key in plain}
        if lesion not in place or not parts["hosts"]:
            continue
        unproven = {case for case, own in proofs.items() if own.get(lesion) == "unknown"}
        found[place[lesion]] = Site(
            lesion=place[lesion],
            unproven=frozenset(unproven),
            style=config.synthetic.style(lesion),
            weight=config.label_weights.get("synthetic", 1.0),
            **parts,
        )
    return found


def pairs(
    sites: Mapping[int, Site],
    cases: Sequence[PreparedCase],
    tumours: Mapping[str, Any],
    classes: Sequence[str],
) -> list[tuple[int, int]]:
    """(case, lesion class) by position: an organ is drawn, and no lesion of it is.

    Without ``cases`` in `tumours` (training on files alone) a known label without a voxel is the
    proof.
    """
    proofs = tumours["cases"]
    found = []
    for lesion, site in sites.items():
        for n, case in enumerate(cases):
            if any(case.counts[other] for other in site.kin):
                continue
            if not any(case.known[h] and case.counts[h] for h in site.hosts):
                continue
            if proofs is None:
                is_healthy = bool(case.known[lesion])
            else:
                is_healthy = classes[lesion] in proofs.get(case.case_id, {})
            if is_healthy:
                found.append((n, lesion))
    return found
