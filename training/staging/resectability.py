"""What contact angles alone say of resectability, for research only."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.staging.config import StagingConfig, VesselConfig
from training.staging.contact import Contact

LEVELS = ("resectable", "borderline", "locally advanced")
UNKNOWN = "unknown"  # resectability


@dataclass(frozen=True)
class Resectability:
    """By contact angles alone, for research only.

    Attributes:
        category: one of `LEVELS`; ``unknown`` where no vessel that tells it could be seen.
        at_least: something that could make it worse is unknown.
        reasons: in words.
    """

    category: str
    at_least: bool
    reasons: tuple[str, ...]

    @property
    def label(self) -> str:
        """In words: ``resectable``, ``borderline or worse``, ``unknown``."""
        return f"{self.category} or worse" if self.at_least else self.category


def resectability_of(
    contacts: Sequence[Contact], config: StagingConfig, *, is_cut: bool = False
) -> Resectability:
    """The worst category that any vessel's contact angle gives.

    Args:
        contacts: one per vessel of the config, in its order.
        config: the angles of each vessel.
        is_cut: the tumour touches the edge of the scan.
    """
    worst, reasons, open_ends = 0, [], []
    for vessel, contact in zip(config.vessels, contacts, strict=True):
        levels = _limits(vessel)
        level = _level(vessel, contact, config.contact.least_deg)
        if level:
            reasons.append(f"{contact.said}: {LEVELS[level]}")
        worst = max(worst, level)
        if not contact.is_certain and levels:
            open_ends.append((contact.name, max(levels)))
    telling = [c for v, c in zip(config.vessels, contacts, strict=True) if _limits(v)]
    if all(contact.state == "unknown" for contact in telling):
        names = ", ".join(contact.name for contact in telling) or "any vessel"
        return Resectability(UNKNOWN, False, (f"not known: {names}",))
    unknown = [name for name, level in open_ends if level > worst]
    at_least = worst < len(LEVELS) - 1 and (bool(unknown) or is_cut)
    if unknown:
        reasons.append(f"not known: {', '.join(unknown)}")
    if at_least and is_cut:
        reasons.append("the tumour touches the edge of the scan")
    return Resectability(LEVELS[worst], at_least, tuple(reasons))


def _limits(vessel: VesselConfig) -> list[int]:
    """The levels that a vessel's contact can give."""
    given = ((1, vessel.borderline_above_deg), (2, vessel.advanced_above_deg))
    return [level for level, limit in given if limit is not None]


def _level(vessel: VesselConfig, contact: Contact, least_deg: float) -> int:
    degrees = contact.degrees or 0.0
    if degrees < least_deg:
        return 0
    if vessel.advanced_above_deg is not None and degrees > vessel.advanced_above_deg:
        return 2
    limit = vessel.borderline_above_deg
    return 1 if limit is not None and degrees > limit else 0
