"""The error taxonomy, which grows with the rounds: every label error ever found, of what kind, how
it was found and mended, and which come back (ScaleMAI, arXiv:2501.03410, figure 5 and table 6)."""

from labeling.errors.kinds import KINDS, Kind
from labeling.errors.reader import count_errors, looked_at, read_errors
from labeling.errors.record import FOUND, MENDS, STANDINGS, LabelError
from labeling.errors.tally import Looked, Tally, tallied

__all__ = [
    "FOUND",
    "KINDS",
    "MENDS",
    "STANDINGS",
    "Kind",
    "LabelError",
    "Looked",
    "Tally",
    "count_errors",
    "looked_at",
    "read_errors",
    "tallied",
]
