"""Parts of expressions made of word lists, and the words with which their matches begin."""

import re
from collections.abc import Iterable
from functools import lru_cache

from voxcurate.config import read_yaml, shipped
from voxcurate.scrubbing.folding import fold


def any_of(words: Iterable[str], *, titled: bool = False) -> str:
    """An expression for one of the words, the longest first, with or without their accents.

    Args:
        words: in small letters.
        titled: each with a capital.
    """
    ordered = sorted(set(words), key=lambda word: (-len(word), word))
    return f"(?:{'|'.join(_plain_too(w.capitalize() if titled else w) for w in ordered)})"


def _plain_too(word: str) -> str:
    return "".join(c if fold(c) == c.lower() else f"[{c}{fold(c)}]" for c in word)


@lru_cache(maxsize=1)
def _forms() -> dict[str, dict[str, str]]:
    return dict(read_yaml(shipped("scrubbing", "forms.yaml")))


def one_of(module: str, name: str) -> str:
    """An expression for one of the words and phrases of a list in `forms.yaml`, in their order."""
    return f"(?:{'|'.join(_forms()[module][name].split()).replace('_', ' ')})"


_GROUP = re.compile(r"\((?:\?-?i?:|(?=[^?]))")
_AHEAD = re.compile(r"\(\?<?[=!]")
_QUANTITY = re.compile(r"[?*+]|\{\d*,?\d*\}")


def first_words(expression: str) -> str:
    """The words with which matches can begin, folded, parted by spaces.

    So that what a pattern's `starts` wants is written down once, in its expression. Read are
    letters, classes, groups, looks ahead and the sign ``?``; a word ends with anything else.

    Raises:
        ValueError: a word is of any length (``invent\\w*``), so that it cannot be listed.
    """
    return " ".join(sorted(filter(None, _beginnings(expression))))


def _beginnings(expression: str) -> set[str]:
    """The first words of one alternative; an empty one where it begins with no letter."""
    if not expression:
        return {""}
    piece, optional, rest = _first_piece(expression)
    if _AHEAD.match(piece) or piece == "\\b":
        return _beginnings(rest)
    if group := _GROUP.match(piece):
        firsts = _alternatives(piece[group.end() : -1]) + ([""] if optional else [])
        return {word for first in firsts for word in _beginnings(first + rest)}
    if piece[:2] in ("\\w", "\\S"):
        raise ValueError(f"a word of any length: {expression}")
    signs = piece[0] == "\\" or piece[:2] == "[^"
    letters = set() if signs else {char for char in fold(piece) if char.isalpha()}
    tails = _beginnings(rest) if letters or optional else set()
    found = {letter + tail for letter in letters for tail in tails}
    if not all(map(str.isalpha, piece.strip("[]"))):
        found.add("")  # a sign, or a class that has one
    return found | tails if optional else found


def _first_piece(expression: str) -> tuple[str, bool, str]:
    """The first letter, class or group, whether it may be left out, and what follows."""
    end = 2 if expression[0] == "\\" else 1
    long = expression[0] in "(["
    end = _closing(expression) if long else 2 if expression[0] == "\\" else 1
    quantity = _QUANTITY.match(expression, end)
    rest = expression[quantity.end() if quantity else end :]
    optional = quantity is not None and quantity.group()[:2] in ("?", "*", "{0", "{,")
    return expression[:end], optional, rest


def _closing(expression: str) -> int:
    """The place after the bracket that closes the first one."""
    depth, i, in_class = 0, 0, False
    while i < len(expression):
        char = expression[i]
        if char == "\\":
            i += 1
        elif in_class:
            in_class = char != "]"
            depth -= not in_class
        elif char in "([":
            in_class = char == "["
            depth += 1
        elif char == ")":
            depth -= 1
        i += 1
        if depth == 0:
            return i
    raise ValueError(f"a bracket is not closed: {expression}")


def _alternatives(expression: str) -> list[str]:
    """The parts between bars that stand in no bracket."""
    parts, last, i = [], 0, 0
    while i < len(expression):
        if expression[i] in "([":
            i += _closing(expression[i:])
        elif expression[i] == "\\":
            i += 2
        else:
            if expression[i] == "|":
                parts.append(expression[last:i])
                last = i + 1
            i += 1
    return [*parts, expression[last:]]
