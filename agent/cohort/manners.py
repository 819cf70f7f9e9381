"""How a radiologist writes: the same sentences, British, telegraphic or with a typist's slips.

A manner changes words, never what they say: no number, side, negation or short word is touched.
"""

import re
from collections.abc import Callable

import numpy as np

_BRITISH = {
    "tumor": "tumour",
    "caliber": "calibre",
    "dilation": "dilatation",
    "color": "colour",
    "characterize": "characterise",
    "center": "centre",
    "artifact": "artefact",
    "hypodense": "low attenuation",
    "gallbladder": "gall bladder",
    "edema": "oedema",
}
_SPARED = re.compile(r"\b(?:without|unchanged|increased|decreased|previous\w*|resolved|absent)\b")
_WORD = re.compile(r"[A-Za-z]{7,}")
_SLIP_RATE = 0.03  # of the long words
_TELEGRAM = (
    (re.compile(r"\bThere (?:is|are) (?:an? )?(\w)"), lambda m: str(m.group(1)).upper()),
    (re.compile(r"\b(?:[Tt]he|[Aa]n?) (?=[a-z])"), lambda _: ""),
    (re.compile(r"(?<=[.\n] )([a-z])|^([a-z])", re.M), lambda m: m.group().upper()),
    (re.compile(r" (?:is|are) (?=(?:un)?remarkable|normal|dilated|not\b)"), lambda _: " "),
)

Manner = Callable[[str, np.random.Generator], str]


def manner(rng: np.random.Generator) -> Manner:
    """One of the manners, drawn: half of the radiologists write plainly."""
    drawn = int(rng.integers(8))
    return {0: _british, 1: _telegraphic, 2: _slipping, 3: _shouting}.get(drawn, _plain)


def _plain(text: str, _: np.random.Generator) -> str:
    return text


def _british(text: str, _: np.random.Generator) -> str:
    for american, british in _BRITISH.items():
        text = re.sub(rf"\b{american}", british, text)
        text = re.sub(rf"\b{american.capitalize()}", british.capitalize(), text)
    return text


def _telegraphic(text: str, _: np.random.Generator) -> str:
    for pattern, replacement in _TELEGRAM:
        text = pattern.sub(replacement, text)
    return text


def _shouting(text: str, _: np.random.Generator) -> str:
    return text.upper()


def _slipping(text: str, rng: np.random.Generator) -> str:
    """A letter doubled, dropped or swapped with its neighbour inside a few of the long words."""

    def slip(match: re.Match[str]) -> str:
        word = match.group()
        if _SPARED.fullmatch(word.lower()) or rng.random() >= _SLIP_RATE:
            return word
        at = int(rng.integers(2, len(word) - 2))
        kind = int(rng.integers(3))
        if kind == 0:
            return word[:at] + word[at] + word[at:]
        if kind == 1:
            return word[:at] + word[at + 1 :]
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    return _WORD.sub(slip, text)
