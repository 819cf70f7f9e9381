"""Numbers other than sizes: in a unit ("12 HU"), or counts ("three nodules")."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from retrieval.rules.scan import Hit, Scan

_COUNTS = {
    "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0, "seven": 7.0,
    "eight": 8.0, "nine": 9.0, "ten": 10.0, "single": 1.0, "solitary": 1.0, "a": 1.0, "an": 1.0,
}  # fmt: skip
_COUNT = re.compile(r"\b(\d{1,2}|" + "|".join(_COUNTS) + r")\b(?!\s*(?:mm|cm|[.,]\d))", re.I)
_BEFORE_WORDS = 4  # words between a count and its thing


def counted(scan: Scan, hits: Sequence[Hit], unit: str, goes_on: bool) -> Iterator[float]:
    """Numbers in `unit` in the sentence of a thing, or counts right before it where there is none.

    Args:
        goes_on: the sentence speaks of the thing without naming it.
    """
    text = scan.sentence.text
    if unit:
        if hits or goes_on:
            for match in _in_unit(unit).finditer(text):
                yield float(match.group(1).replace("−", "-").replace(",", "."))
        return
    for hit in hits:
        before = list(_COUNT.finditer(text, 0, hit.start))
        if before and len(text[before[-1].end() : hit.start].split()) <= _BEFORE_WORDS:
            word = before[-1].group(1).lower()
            yield _COUNTS.get(word) or float(word)


@lru_cache(maxsize=64)
def _in_unit(unit: str) -> re.Pattern[str]:
    number = r"([-−]?\d+(?:[.,]\d+)?)"
    return re.compile(rf"(?<![\w.]){number}\s*-?\s*{re.escape(unit)}(?![a-z])", re.I)
