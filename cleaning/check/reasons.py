"""What a check says: a broken rule with what was measured."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["reject", "suspect"]


@dataclass(frozen=True)
class Reason:
    """One broken rule: its code, what was measured, and the limit it broke, in the rule's unit."""

    code: str
    severity: Severity
    measured: float
    limit: float
    text: str
