"""One engine for the written anatomy of ``configs/anatomy/*.yaml``.

`labeling.fusion.mend` mends by it.

Each rule says of a structure that it is broken, holds or is unknown, in millimetres and world
coordinates (RAS+), never by raw indices. Only what is known is asked: a class without a label is no
violation, an empty label may be one, and what needs a neighbour that is not there is unknown.
"""

from labeling.rules.case import CaseFacts
from labeling.rules.engine import Anatomy, load_anatomy, shipped_anatomies
from labeling.rules.outcome import HARD, RULE_WEIGHTS, Outcome, Violation, combined_weight

__all__ = [
    "HARD",
    "RULE_WEIGHTS",
    "Anatomy",
    "CaseFacts",
    "Outcome",
    "Violation",
    "combined_weight",
    "load_anatomy",
    "shipped_anatomies",
]
