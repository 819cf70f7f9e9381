"""One expression for one kind of identifier, and when it is worth trying."""

import re
from collections.abc import Callable
from typing import NamedTuple

from voxcurate.scrubbing.forms import one_of

HOLE = "\x01"  # stands where an identifier was

UPPER = r"[^\W\d_a-zß-öø-ÿ]"  # a capital of any alphabet, nearly: no lower Latin, digit, underscore
UNITS = one_of("pattern", "units")
_WANTS_HOLE = re.compile(r"\\x01(?![?*{])")
Check = Callable[[str, int, int], bool]


class Pattern(NamedTuple):
    """A kind of identifier with its expression, whose group ``x`` is what goes.

    Trying an expression costs more than seeing that it cannot match: so one is tried only where a
    word that it wants is, and only in a text that has the shape.

    Attributes:
        shape: an expression that every text with a match matches too.
        starts: words (folded, letters only) that every match begins with.
        digits: every match begins with a number, or ``+`` or ``(`` before one, from where on so
            many digits stand with no more than signs between them.
        has_digits: every text with a match holds such a number somewhere.
        near: words that every match holds or is beside; ``*ring`` stands for an
            ending of a word that a number follows.
        signs: every text with a match holds one of them.
        labelled: a word such as "MRN:" introduces it, so that it beats protected spans.
        check: whether what matched in the text, from one place to another, is one after all.
        sure: False where it may be something else.
    """

    kind: str
    regex: re.Pattern[str]
    labelled: bool = False
    shape: re.Pattern[str] | None = None
    starts: frozenset[str] = frozenset()
    near: frozenset[str] = frozenset()
    endings: tuple[str, ...] = ()
    digits: int = 0
    has_digits: int = 0
    check: Check | None = None
    sure: bool = True
    signs: str = ""


def pattern(
    kind: str,
    expression: str,
    flags: re.RegexFlag | int = re.IGNORECASE,
    *,
    labelled: bool = False,
    shape: str = "",
    starts: str = "",
    near: str = "",
    digits: int = 0,
    has_digits: int = 0,
    check: Check | None = None,
    sure: bool = True,
    signs: str = "",
) -> Pattern:
    """A `Pattern`; the words of `starts` and `near` are parted by spaces.

    A shape that wants a hole is not searched for in a text that has none.
    """
    words = near.split()
    if not signs and _WANTS_HOLE.search(shape) and "|" not in shape:
        signs = HOLE
    return Pattern(
        kind,
        re.compile(expression, flags),
        labelled,
        re.compile(shape, flags) if shape else None,
        frozenset(starts.split()),
        frozenset(word for word in words if word[0] != "*"),
        tuple(word[1:] for word in words if word[0] == "*"),
        digits,
        has_digits,
        check,
        sure,
        signs,
    )
