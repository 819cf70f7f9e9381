"""A text word by word: how each is written, what kind of word it is, what stands between."""

import re

from voxcurate.scrubbing import name_words as w
from voxcurate.scrubbing.vocabulary import fold, lexicon

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_END_OF_SENTENCE = re.compile(r"[.!?:;\n•|]")
_PREFIXES = ("Mac", "Van", "Fitz", "DeL", "LaR", "DiM")


class Words:
    """The words of a text with their shapes, kinds and what stands between them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.low: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.shapes: list[str] = []
        folded = fold(text)
        for match in _WORD.finditer(text):
            start, end = match.span()
            raw = match.group()
            if len(raw) > 2 and raw[-1] in "sS" and raw[-2] in "'’":
                end -= 2
                raw = raw[:-2]
            self.low.append(folded[start:end].replace("’", "'"))
            self.starts.append(start)
            self.ends.append(end)
            self.shapes.append(_shape(raw))
        self.n = len(self.low)
        kind = lexicon().kind
        self.kinds = [kind(low) for low in self.low]
        self.caseless = self._caseless()

    def _caseless(self) -> list[bool]:
        """Whether capitals tell nothing, per word: its line is in capitals, or all is small."""
        shapes = self.shapes
        small = sum(s == "L" for s in shapes)
        large = sum(s in "CUIM" for s in shapes)
        flat = small > 3 and large <= small * 0.03
        if "U" not in shapes:
            return [flat] * self.n
        result: list[bool] = []
        line: list[int] = []
        last = 0
        for i in range(self.n):
            if line and "\n" in self.text[last : self.starts[i]]:
                result += [self._all_capitals(line)] * len(line)
                line = []
            line.append(i)
            last = self.ends[i]
        result += [self._all_capitals(line)] * len(line)
        return [flat or one for one in result]

    def _all_capitals(self, line: list[int]) -> bool:
        upper = sum(len(self.low[i]) for i in line if self.shapes[i] == "U")
        other = sum(len(self.low[i]) for i in line if self.shapes[i] in "CLM")
        return upper > 2 and upper >= 4 * other

    def gap(self, i: int) -> str:
        """What stands between word `i` - 1 and word `i`; after the last word, what follows it."""
        before = self.ends[i - 1] if i > 0 else 0
        after = self.starts[i] if i < self.n else len(self.text)
        gap = self.text[before:after]
        return gap[2:] if gap[:2] in ("'s", "’s", "'S", "’S") else gap

    def begins(self, i: int) -> bool:
        """Whether a sentence, line or item begins with word `i`."""
        if i == 0:
            return True
        gap = self.gap(i)
        if _END_OF_SENTENCE.search(gap) is None:
            return False
        return not (
            (gap.strip() == "." and self.low[i - 1] in w.TITLES) or self.shapes[i - 1] == "I"
        )

    def is_titled(self, i: int) -> bool:
        """Whether capitals mark word `i` as a name would be."""
        return not self.caseless[i] and self.shapes[i] == "C"


def _shape(raw: str) -> str:
    """``I`` an initial, ``C`` capitalised, ``U`` capitals, ``L`` small, ``M`` mixed."""
    if len(raw) == 1:
        return "I" if raw.isupper() else "L"
    if raw.islower():
        return "L"
    if raw.isupper():
        return "U"
    if raw[0].isupper():
        rest = raw[1:]
        if (
            rest.islower()
            or "-" in raw
            or "'" in raw
            or "’" in raw
            or raw[:2] == "Mc"
            or raw.startswith(_PREFIXES)
        ):
            return "C"
        return (
            "C"
            if not rest.islower() and rest.istitle() and len(raw) > 3 and raw[1].islower()
            else "M"
        )
    return "L" if "-" in raw or "'" in raw else "M"
