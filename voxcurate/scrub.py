"""The one scrubber: text in, text without identifiers out.

First what is known from the matching header or table row (`voxcurate.identifiers`), then patterns
and names (`voxcurate.scrubbing`). Every replacement is a placeholder of its kind, so that the same
text gives the same result everywhere and scrubbing twice changes nothing. Replaced values are never
returned, logged or stored.
"""

import hmac
import re
from bisect import bisect_right
from collections.abc import Sequence
from hashlib import sha256
from itertools import accumulate

from pydantic import Field

from voxcurate.config import Config
from voxcurate.identifiers import Hit, Identifiers, find_known
from voxcurate.scrubbing.dates import parse_date, shifted
from voxcurate.scrubbing.hits import merge_hits
from voxcurate.scrubbing.mended import mended
from voxcurate.scrubbing.pattern import HOLE
from voxcurate.scrubbing.patterns import find_patterns
from voxcurate.scrubbing.result import Scrubbed

__all__ = [
    "KINDS", "NOTHING_KNOWN", "SCRUBBER_VERSION", "ScrubConfig", "Scrubbed", "Scrubber",
    "leak_scan", "merge_hits", "parse_date",
]  # fmt: skip

SCRUBBER_VERSION = "2"
NOTHING_KNOWN = Identifiers()
_MAX_READINGS = 40  # two or three do for any text that is no trap
KINDS = (
    "NAME", "DATE", "ID", "PHONE", "EMAIL", "ADDRESS", "INSTITUTION", "AGE", "URL", "IP", "OTHER",
)  # fmt: skip
_PLACEHOLDER = re.compile(
    rf"\[(?:{'|'.join(KINDS)})\]|\[DATE (?:\d{{4}}-\d\d(?:-\d\d)?|--\d\d-\d\d)\]"
)


class ScrubConfig(Config):
    """How text is scrubbed."""

    patterns: bool = Field(True, description="look for what only looks like an identifier too")
    doubtful: bool = Field(
        True,
        description="replace what may be an ordinary word too; a lost word costs less than a name "
        "that stays. Listed for review either way",
    )
    shift_dates: bool = Field(False, description="move dates instead of blanking them")
    max_shift_days: int = Field(
        365, ge=1, description="a patient's dates move by 1 to so many days"
    )
    day_first: bool = Field(False, description="3/5/2021 is 3 May; 3.5.2021 always is")


class Scrubber:
    """Removes identifiers from text.

    Args:
        config: what to do.
        key: the workspace's secret; needed only to shift dates.
    """

    name = "rules"
    version = SCRUBBER_VERSION

    def __init__(self, config: ScrubConfig | None = None, *, key: bytes = b"") -> None:
        self.config = config or ScrubConfig()
        self._key = key

    def scrub(
        self, text: str, known: Identifiers = NOTHING_KNOWN, *, patient: str = ""
    ) -> Scrubbed:
        """The text with placeholders such as ``[NAME]``, ``[DATE]``, ``[ID]``.

        Placeholders that are there already stay. What is found is taken out and the rest is looked
        at again until nothing more is found: so the result, scrubbed again, stays what it is.

        Args:
            text: any text; an empty one stays empty.
            known: what the header or table says about this patient and study.
            patient: pseudonym whose dates move together, when dates are shifted.
        """
        found = self.find(text, known)
        replaced = [hit for hit in found if hit.sure or self.config.doubtful]
        year = self._year(text, replaced, known) if self.config.shift_dates else None
        pieces, last = [], 0
        for hit in replaced:
            value = self._replacement(text[hit.start : hit.end], hit, patient, year)
            pieces += [text[last : hit.start], value]
            last = hit.end
        return Scrubbed("".join([*pieces, text[last:]]), tuple(found))

    def find(self, text: str, known: Identifiers = NOTHING_KNOWN) -> list[Hit]:
        """What would be replaced, doubtful hits included; disjoint, in order, spans in `text`."""
        rest = _Rest(text)
        for _ in range(_MAX_READINGS):
            hits = merge_hits(self._search(rest.text, known))
            if not hits:
                break
            rest.take_out(hits)
        return rest.hits

    def _search(self, text: str, known: Identifiers) -> list[Hit]:
        hits = _find_known(text, known)
        if self.config.patterns:
            hits += find_patterns(text)
        return hits

    def _replacement(self, value: str, hit: Hit, patient: str, year: int | None) -> str:
        if hit.kind == "DATE" and self.config.shift_dates and patient:
            days = self.shift_days(patient)
            moved = shifted(value, days, year=year, day_first=self.config.day_first)
            return f"[DATE {moved}]" if moved else "[DATE]"
        return f"[{hit.kind}]"

    def _year(self, text: str, hits: Sequence[Hit], known: Identifiers) -> int | None:
        """The year of dates without one: that of the latest whole date known, or in the text."""
        spans = (text[hit.start : hit.end] for hit in hits if hit.kind == "DATE")
        told = [day for span in spans if (day := parse_date(span, day_first=self.config.day_first))]
        days = [*told, *known.dates]
        return max(days).year if days else None

    def shift_days(self, patient: str) -> int:
        """Days by which all dates of a patient move: 1 to `max_shift_days` back, by key."""
        digest = hmac.new(self._key, f"dates:{patient}".encode(), sha256).digest()
        return -1 - int.from_bytes(digest[:8], "big") % self.config.max_shift_days


class _Rest:
    """A text whose identifiers are single holes, and where each hole was in the whole text."""

    def __init__(self, text: str) -> None:
        self.hits: list[Hit] = []
        self.text = text.replace(HOLE, " ")
        self._holes: list[tuple[int, int]] = []
        self._put([Hit("", *match.span()) for match in _PLACEHOLDER.finditer(self.text)])

    def take_out(self, hits: Sequence[Hit]) -> None:
        """Make holes of disjoint hits in the present text, none of which holds a hole."""
        places = [i for i, char in enumerate(self.text) if char == HOLE]
        lost = list(accumulate((end - start - 1 for start, end in self._holes), initial=0))
        moved = [
            Hit(
                hit.kind,
                hit.start + lost[bisect_right(places, hit.start)],
                hit.end + lost[bisect_right(places, hit.end - 1)],
                hit.sure,
            )
            for hit in hits
        ]
        self.hits = sorted([*self.hits, *moved], key=lambda hit: hit.start)
        self._put(hits, moved)

    def _put(self, hits: Sequence[Hit], moved: Sequence[Hit] | None = None) -> None:
        pieces, last = [], 0
        for hit in hits:
            pieces += [self.text[last : hit.start], HOLE]
            last = hit.end
        self.text = "".join([*pieces, self.text[last:]])
        spans = [(hit.start, hit.end) for hit in (moved if moved is not None else hits)]
        self._holes = sorted([*self._holes, *spans])


def _find_known(text: str, known: Identifiers) -> list[Hit]:
    """What is known, as it is written and as a bad print was meant."""
    hits = list(find_known(text, known))
    if known != NOTHING_KNOWN and (reading := mended(text)).text != text:
        hits += reading.widened(find_known(reading.text, known))
    return hits


def leak_scan(text: str, known: Identifiers, *, file_name: bool = False) -> list[Hit]:
    """Identifiers left in something written: known ones in every form, and what looks like one.

    Args:
        text: report text, a header field, or a file name.
        known: what must not be there.
        file_name: look inside longer words too, but not for patterns, which case ids and series
            numbers would match.

    Returns:
        Disjoint hits in order; `sure` is False where the words may be ordinary ones. Empty: clean.
    """
    if file_name:
        return merge_hits(find_known(text, known, embedded=True))
    rest = _Rest(text)
    rest.take_out(merge_hits([*_find_known(rest.text, known), *find_patterns(rest.text)]))
    return rest.hits
