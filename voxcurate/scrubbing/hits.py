"""Places in a text that identify somebody, and how overlapping ones become one."""

from collections.abc import Iterable
from typing import NamedTuple


class Hit(NamedTuple):
    """A place in a text that identifies somebody: its kind and its span, never its value.

    `sure` is False where the words may be ordinary ones ("White" in "White matter").
    """

    kind: str
    start: int
    end: int
    sure: bool = True


def merge_hits(hits: Iterable[Hit]) -> list[Hit]:
    """Overlapping hits as one, with the kind of the longest; sorted, disjoint, covering all.

    A doubtful hit is replaced as a sure one is: a lost word costs less than a name that stays.
    """
    merged: list[Hit] = []
    width = 0
    for hit in sorted(hits, key=lambda h: (h.start, -h.end)):
        if merged and hit.start < merged[-1].end:
            last = merged[-1]
            wider = hit.end - hit.start > width
            kind = hit.kind if wider else last.kind
            width = max(width, hit.end - hit.start)
            merged[-1] = Hit(kind, last.start, max(last.end, hit.end), last.sure or hit.sure)
        else:
            merged.append(hit)
            width = hit.end - hit.start
    return merged
