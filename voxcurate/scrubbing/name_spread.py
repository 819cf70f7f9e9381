"""Names that spread: over strange words beside them, over lists, over the rest of the text."""

import re

from voxcurate.scrubbing import name_words as w
from voxcurate.scrubbing.hits import Hit
from voxcurate.scrubbing.name_cells import CellNames
from voxcurate.scrubbing.name_spans import hard_eponyms
from voxcurate.scrubbing.wordlist import word_set

_LISTED = re.compile(r"(?:[ ]?\([^()\n]{1,25}\))?(?:/|,[ ]|[ ]&[ ]|[ ]/[ ])")
_SMALL_PARTICLES = word_set("de van von da di del della der den dos das du ter ten ap bin ibn")
_LIST_GOES_ON = re.compile(r"[ ]?(?:[,/)(;.\n&|]|and\b|\Z|\x01)")


class SpreadNames(CellNames):
    """A reading in which some names were found already."""

    def stretch(self) -> None:
        """Names go on over strange capitalised words beside them, and over lists ("A/B")."""
        words = self.words
        for k in range(words.n - 1):
            if (
                self.taken[k] and not self.taken[k + 1] and self._goes_on(k + 1, words.gap(k + 1))
            ) or (self.taken[k] and not self.taken[k + 1] and self._is_initial_after(k + 1)):
                self._join(k, k + 1)
            elif self.taken[k] and not self.taken[k + 1]:
                self._list_after(k)
        self._beside_and()
        for k in range(words.n - 1, 0, -1):
            before = k - 1
            if not self.taken[k] or self.taken[before]:
                continue
            if self._is_capital_particle(before, k) or (
                self._goes_on(before, words.gap(k))
                and words.kinds[before] in "nu"
                and (
                    words.kinds[before] == "n"
                    or self._likeness(words.low[before]) > (-9 if words.begins(before) else -6)
                )
            ):
                self._join(k, before)

    def _is_capital_particle(self, i: int, k: int) -> bool:
        """ "Van" before "Rensburg"."""
        words = self.words
        particle = words.low[i] in w.PARTICLES and words.shapes[i] == "C" and len(words.low[i]) > 1
        small = words.languages[i] == "e" and words.low[i] in _SMALL_PARTICLES
        return (particle or small) and words.gap(k) == " " and words.kinds[k] != "w"

    def _is_initial_after(self, i: int) -> bool:
        """ "Archie F.", "Donna W" before the end of a cell, "Martina J" before one more name."""
        words = self.words
        if words.shapes[i] != "I" or words.gap(i) != " ":
            return False
        after = words.text[words.ends[i] : words.ends[i] + 2]
        if after[:1] == "." or re.match(r"\Z|[\n,;)/|~\"]|[ ][ (\n]", after) is not None:
            return True
        following = i + 1 < words.n and words.gap(i + 1) == " " and words.shapes[i + 1] in "CU"
        return following and (self.taken[i + 1] or words.kinds[i + 1] in "nu")

    def _goes_on(self, i: int, gap: str) -> bool:
        """Whether word `i` belongs to the name beside it."""
        words = self.words
        low, kind, shape = words.low[i], words.kinds[i], words.shapes[i]
        if not re.fullmatch(r"[ ]{1,2}|-", gap) or low in w.STOP or low in w.SHORT_FORMS:
            return False
        if low in w.DEGREES or low in w.NO_NAME or low in w.TITLES or low in self.lexicon.eponyms:
            return False
        if words.caseless[i] and shape != "U":
            return False
        if shape == "U":
            return (
                len(low) > 1 and kind in "nu" and not words.caseless[i] and self._likeness(low) > -6
            )
        if shape != "C" or self._is_heading(i):
            return False
        if kind in "nu":
            return True
        after = words.text[words.ends[i] : words.ends[i] + 2]
        return kind == "b" and re.match(r"[ ]?[,.;:)\n(/|]|\Z", after) is not None

    def _beside_and(self) -> None:
        """ "Kaveh and [name]": a name before or after "and" beside one that was found."""
        words = self.words
        for k in range(1, words.n - 1):
            if words.low[k] not in ("and", "und", "et", "en", "y") or words.shapes[k] != "L":
                continue
            for one, other in ((k - 1, k + 1), (k + 1, k - 1)):
                if not self.taken[other] or self.taken[one] or words.shapes[one] != "C":
                    continue
                if words.gap(k) != " " or words.gap(k + 1) != " " or words.caseless[one]:
                    continue
                low, kind = words.low[one], words.kinds[one]
                strange = kind == "n" or (kind == "u" and self._likeness(low) > 0)
                if strange and low not in self.lexicon.eponyms and low not in w.NO_NAME:
                    self._hit(one, one + 1, sure=False)

    def _join(self, k: int, other: int) -> None:
        """Widen the hit of word `k` by word `other` beside it."""
        words = self.words
        start, end = words.starts[min(k, other)], words.ends[max(k, other)]
        for number, hit in enumerate(self.hits):
            if hit.start <= words.starts[k] < hit.end:
                self.hits[number] = Hit("NAME", min(hit.start, start), max(hit.end, end), hit.sure)
                self.taken[other] = True
                return

    def _list_after(self, k: int) -> None:
        """Take the next of a list: "A/B/C", "A, B (radiology), C"."""
        words = self.words
        link = _LISTED.match(words.text, words.ends[k])
        if link is None:
            return
        i = next((m for m in range(k + 1, min(k + 5, words.n)) if words.starts[m] >= link.end()), 0)
        if not i or words.starts[i] != link.end() or self.taken[i]:
            return
        low, shape = words.low[i], words.shapes[i]
        small = words.caseless[i] and shape == "L" and link.group() == "/" and len(low) > 2
        small = small or (shape == "L" and low.startswith(("al-", "el-")))
        strange = words.kinds[i] == "n" or (
            words.kinds[i] == "u" and self._likeness(low) > (-4 if small else -5)
        )
        if (
            not strange
            or not (shape == "C" or small)
            or low in w.SHORT_FORMS | w.NO_NAME | w.DEGREES
        ):
            return
        if low in self.lexicon.eponyms or not _LIST_GOES_ON.match(words.text, words.ends[i]):
            return
        self._hit(i, i + 1, sure=False)

    def again(self) -> None:
        """What is a name in one place is one in every other, if it is no ordinary word."""
        words = self.words
        names = {
            words.low[k]
            for k in range(words.n)
            if self.taken[k]
            and len(words.low[k]) > 3
            and words.kinds[k] in "nub"
            and words.shapes[k] in "CUL"
            and (words.kinds[k] != "u" or self._likeness(words.low[k]) > -8)
            and words.low[k] not in hard_eponyms()
        }
        if not names:
            return
        for k in range(words.n):
            if words.low[k] not in names or self.taken[k]:
                continue
            kind, caseless = words.kinds[k], words.caseless[k]
            small = words.shapes[k] not in "CU"
            if (small and not (caseless and kind in "nu")) or self._is_eponym(k, k + 1):
                continue
            if kind != "b" or not (caseless or words.begins(k)):
                self._hit(k, k + 1, sure=kind == "n")
