"""What a check says: a broken rule with what was measured, and the verdict that reasons make."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["reject", "suspect"]
Verdict = Literal["pass", "suspect", "reject"]


@dataclass(frozen=True)
class Reason:
    """One broken rule: its code, what was measured, and the limit it broke, in the rule's unit.

    `planes` tells where, for the picture: axis in RAS order, first and last plane.
    """

    code: str
    severity: Severity
    measured: float
    limit: float
    text: str
    planes: tuple[int, int, int] | None = None


def worst(reasons: Iterable[Reason]) -> Verdict:
    """``reject`` if any reason rejects, else ``suspect`` if there is any, else ``pass``."""
    found = {reason.severity for reason in reasons}
    return "reject" if "reject" in found else "suspect" if found else "pass"
