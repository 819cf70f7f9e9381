"""The names of months in many languages: expressions that match them, and their numbers."""

import re

from voxcurate.config import read_yaml, shipped
from voxcurate.scrubbing.folding import fold
from voxcurate.scrubbing.forms import any_of

_TOLD = read_yaml(shipped("scrubbing", "dates.yaml"))


def _numbers() -> dict[str, int]:
    """Every name of a month, and how it begins, folded; the more usual language wins."""
    whole: dict[str, int] = {}
    begun: dict[str, int] = {}
    for table in ("english", "others"):
        for number, words in _TOLD[table].items():
            for word in fold(words).split():
                whole.setdefault(word, number)
                begun.setdefault(word[:3], number)
    return begun | whole


_NUMBERS = _numbers()
ENGLISH = any_of(" ".join(_TOLD["english"].values()).split())
OTHERS = any_of(" ".join(_TOLD["others"].values()).split())
MONTH = rf"(?:{OTHERS}|{ENGLISH})"
CLEAR = any_of(_TOLD["clear"].split())
TITLED = any_of(_TOLD["titled"].split(), titled=True)
MONTH_WORDS = frozenset(
    fold(" ".join([*_TOLD["english"].values(), *_TOLD["others"].values()])).split()
)
MONTHS = " ".join(sorted(MONTH_WORDS))  # for the `near` of a pattern
WORDS_TOO = frozenset(_TOLD["words_too"].split())
NAMES_TOO = frozenset(_TOLD["names_too"].split())


def month_number(word: str) -> int | None:
    """1 to 12 for the name of a month in the languages of the list, or its beginning; else None."""
    folded = re.sub(r"\W", "", fold(word))
    if len(folded) < 3:
        return None
    if folded.startswith("juil"):
        return 7
    return _NUMBERS.get(folded) or _NUMBERS.get(folded[:3])
