"""The one scrubber: text in, text without identifiers out.

First what is known from the matching header or table row (`voxcurate.identifiers`), then patterns
(`voxcurate.phi`). Every replacement is a placeholder of its kind, so that the same text gives the
same result everywhere and scrubbing twice changes nothing. Replaced values are never returned,
logged or stored.
"""

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256

from voxcurate.config import Config
from voxcurate.identifiers import Hit, Identifiers, find_known
from voxcurate.phi import find_patterns

SCRUBBER_VERSION = "1"
NOTHING_KNOWN = Identifiers()


class ScrubConfig(Config):
    """How text is scrubbed."""

    patterns: bool = True
    shift_dates: bool = False
    max_shift_days: int = 365
    day_first: bool = False


@dataclass(frozen=True)
class Scrubbed:
    """Scrubbed text with what was replaced: kinds and spans in the *source* text, never a value."""

    text: str
    replacements: tuple[Hit, ...]


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

        Args:
            text: any text; an empty one stays empty.
            known: what the header or table says about this patient and study.
            patient: pseudonym whose dates move together, when dates are shifted.
        """
        hits = list(find_known(text, known))
        if self.config.patterns:
            hits += find_patterns(text)
        merged = merge_hits(hits)
        pieces, last = [], 0
        for hit in merged:
            pieces += [
                text[last : hit.start],
                self._replacement(text[hit.start : hit.end], hit, patient),
            ]
            last = hit.end
        return Scrubbed("".join([*pieces, text[last:]]), tuple(merged))

    def _replacement(self, value: str, hit: Hit, patient: str) -> str:
        if hit.kind == "DATE" and self.config.shift_dates and patient:
            day = parse_date(value, day_first=self.config.day_first)
            if day is not None:
                return (day + timedelta(days=self.shift_days(patient))).isoformat()
        return f"[{hit.kind}]"

    def shift_days(self, patient: str) -> int:
        """Days by which all dates of a patient move: 1 to `max_shift_days` back, by key."""
        digest = hmac.new(self._key, f"dates:{patient}".encode(), sha256).digest()
        return -1 - int.from_bytes(digest[:8], "big") % self.config.max_shift_days


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
    hits = list(find_known(text, known, embedded=file_name))
    if not file_name:
        hits += find_patterns(text)
    return merge_hits(hits)


_MONTH_STARTS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def parse_date(value: str, *, day_first: bool = False) -> date | None:
    """The full date that a span spells; None where a part is missing or impossible."""
    words = "".join(c if c.isalnum() else " " for c in re.sub(r"(?<=\d)T.*", "", value)).split()
    month_at = next((i for i, w in enumerate(words) if w[:3].lower() in _MONTH_STARTS), None)
    numbers = [int(d) for w in words if (d := w.rstrip("stndrh")).isdigit()]
    if month_at is not None:
        month = _MONTH_STARTS.index(words[month_at][:3].lower()) + 1
        if len(numbers) < 2:
            return None
        first, second = numbers[:2]
        day, year = (first, second) if first <= 31 else (second, first)
    elif len(words) >= 1 and len(words[0]) >= 8 and words[0].isdigit():
        year, month, day = int(words[0][:4]), int(words[0][4:6]), int(words[0][6:8])
    elif len(numbers) < 3:
        return None
    elif numbers[0] > 31:
        year, month, day = numbers[:3]
    else:
        first, second, year = numbers[:3]
        day, month = (
            (first, second) if (day_first and second <= 12) or first > 12 else (second, first)
        )
    year += 0 if year > 99 else (2000 if year < 50 else 1900)
    try:
        return date(year, month, day)
    except ValueError:
        return None
