"""A text word by word: how each is written, what kind of word it is, what stands between."""

import re

from voxcurate.scrubbing import name_words as w
from voxcurate.scrubbing.months import MONTH_WORDS
from voxcurate.scrubbing.name_language import FOREIGN, languages
from voxcurate.scrubbing.vocabulary import fold, lexicon

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_END_OF_SENTENCE = re.compile(r"[.!?:;\n•|]")
_GERMAN_NOUN = re.compile(r"(?:ung|heit|keit|schaft|tion|tat|nis|ismus|raum|zeit|mittel|kranz)$")
_NO_DOUBLE = w.NO_NAME | MONTH_WORDS
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
            shape = _shape(raw)
            if shape == "I" and text[start - 1 : start].isdigit():
                shape = "L"  # "BI-RADS 4B." is followed by no surname
            self.shapes.append(shape)
        self.n = len(self.low)
        self.languages = self._languages()
        self.kinds = self._kinds()
        self.caseless = self._caseless()

    def _languages(self) -> list[str]:
        spans = list(zip(self.starts, self.ends, strict=True))
        begins = [
            "\n" in self.text[a:b] for a, b in zip([0, *self.ends], self.starts, strict=False)
        ]
        raw = [self.text[a:b] for a, b in spans]
        small = [word if word.islower() else word.lower() if len(word) < 12 else "" for word in raw]
        return languages(self.low, begins, small)

    def _kinds(self) -> list[str]:
        """Kinds of the words; the long lists are for English, and for capitals amid a sentence."""
        known = lexicon()
        kinds = [known.kind(low) for low in self.low]
        for i, low in enumerate(self.low):
            if kinds[i] == "w" and self.shapes[i] == "C" and "-" in low:
                kinds[i] = self._kind_of_double(i)
        for i, language in enumerate(self.languages):
            if language == "e" or kinds[i] == "w":
                continue
            if self.low[i] in FOREIGN and (self.shapes[i] == "L" or self.begins(i)):
                kinds[i] = "w"
                continue
            if language == "g" and len(self.low[i]) > 7 and _GERMAN_NOUN.search(self.low[i]):
                kinds[i] = "w"
                continue
            if language == "g" or self.shapes[i] != "C" or self.begins(i):
                kinds[i] = known.foreign_kind(self.low[i])
            elif kinds[i] == "n" and known.fame(self.low[i]) < 2:
                kinds[i] = "u"
        return kinds

    def _kind_of_double(self, i: int) -> str:
        """Whether "Pettigrew-Das" is two surnames: both have capitals and one is no word."""
        known = lexicon()
        parts = list(re.split(r"[-'’]", self.text[self.starts[i] : self.ends[i]]))
        lows = [fold(part) for part in parts]
        names = [known.kind(low) == "n" and known.fame(low) > 1 for low in lows]
        double = all(part[:1].isupper() and len(part) > 2 for part in parts)
        if (
            not double
            or not any(names)
            or any(low in _NO_DOUBLE for low in lows)
            or lows[0] in w.STOP
        ):
            return "w"
        return "n"

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
            gap.strip() in (".", ".-")
            and (self.low[i - 1] in w.TITLES or self.shapes[i - 1] == "I")
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
