"""Names that nobody told us: by what introduces them, by lists, by letters, by what stands around.

A text is read once, word by word. Titles, labels ("Attending:"), verbs ("discussed with"),
relatives and degrees ("..., MD") introduce a name; a run of capitalised words is one when the lists
know a part, or the letters are a name's and the words around speak of a person. Where capitals tell
nothing (a line in capitals, notes in lower case) the lists have to know more. What was taken for a
name in one place is one wherever it stands in the text.
"""

import re
from collections.abc import Iterator

from voxcurate.scrubbing import name_words as w
from voxcurate.scrubbing.hits import Hit
from voxcurate.scrubbing.name_caseless import CaselessNames
from voxcurate.scrubbing.name_judging import PRODUCT
from voxcurate.scrubbing.name_places import LANGUAGES, find_places
from voxcurate.scrubbing.name_spans import COMMA, JOIN
from voxcurate.scrubbing.vocabulary import fold

_NO_ODD = w.STOP | w.NO_NAME | w.SHORT_FORMS | w.TITLES | w.DEGREES | LANGUAGES


class _Finder(CaselessNames):
    """One reading of one text."""

    def run(self) -> list[Hit]:
        """All names, in the order found; they do not overlap."""
        self.find_introduced()
        self.find_in_cells()
        i = 0
        while i < self.words.n:
            i = self._free(i)
        self.again()
        self.stretch()
        return self.hits

    def _free(self, i: int) -> int:
        words = self.words
        if self.taken[i]:
            return i + 1
        kind, shape = words.kinds[i], words.shapes[i]
        if kind == "w" and shape != "I":
            return self._free_word(i)
        if words.low[i] == "fr" and words.gap(i).rstrip()[-1:].isdigit():
            return i + 2  # a size: "19 Fr Blake drain"
        if words.caseless[i] or shape == "L":
            return self._free_caseless(i)
        if shape not in "CIU" or words.low[i] in w.STOP:
            return i + 1
        j = self._run(i)
        if j == i:
            return i + 1
        verdict = self._judge(i, j)
        if verdict:
            self._hit(i, j, sure=verdict == "sure")
            return j
        return i + 1

    def _free_word(self, i: int) -> int:
        """The index after words whose capitals nothing tells: "fall at Piggly Wiggly"."""
        words = self.words
        if not self._is_odd_capital(i):
            return i + 1
        j = i + 1
        while j < words.n and j - i < 3 and words.gap(j) == " " and self._is_odd_capital(j):
            j += 1
        before = i > 0 and words.gap(i) == " " and words.shapes[i - 1] in "CU"
        after = j < words.n and words.gap(j) == " " and words.shapes[j] in "CU"
        at = i > 0 and words.low[i - 1] in ("at", "from")
        while at and after and j - i < 3 and words.low[j] not in _NO_ODD:
            j += 1
            after = j < words.n and words.gap(j) == " " and words.shapes[j] == "C"
        if (before and not self.taken[i - 1]) or (after and words.kinds[j] == "w"):
            return i + 1  # a heading, a post: "Board Certified Radiologist"
        if self._is_eponym(i, j) or PRODUCT.match(words.text, words.ends[j - 1]):
            return j
        self._hit(i, j, sure=False)
        return j

    def _is_odd_capital(self, i: int) -> bool:
        """Whether word `i` has a capital within an English sentence and reports do not have it."""
        words = self.words
        low = words.low[i]
        if words.shapes[i] != "C" or words.caseless[i] or words.begins(i) or len(low) < 4:
            return False
        if words.languages[i] != "e" or self.taken[i] or low in _NO_ODD or "-" in low:
            return False
        if self._is_heading(i):
            return False
        return self.lexicon.is_unlike_reports(low)

    def _run(self, i: int) -> int:
        """The index after a run of capitalised words that might be a name."""
        words = self.words
        j = i
        solid = 0
        while j < words.n and j - i < 5 and not self.taken[j]:
            if j > i:
                gap = words.gap(j)
                if COMMA.match(gap):
                    if words.text[words.ends[j - 1]] in "'’":
                        break  # "Hashimoto's, Gilbert's"
                    first_here = solid == 1 and words.shapes[j] in "CU" and words.kinds[i] in "nub"
                    if not (
                        first_here
                        and (words.low[j] in self.lexicon.given or self._heads_line(i, j))
                    ):
                        break
                elif (
                    not JOIN.match(gap)
                    or "\n" in gap
                    or (gap.startswith(".") and words.shapes[j - 1] != "I")
                ):
                    break
            low, shape, kind = words.low[j], words.shapes[j], words.kinds[j]
            if low in w.SUFFIXES and solid and shape != "L":
                j += 1
                break
            if shape == "I" or (
                low in w.PARTICLES
                and (shape == "L" or shape == "C")
                and kind in "wbu"
                and (solid or shape == "C")
            ):
                if not self._leads_on(j, "free", solid):
                    break
            elif (shape == "C" and kind != "w" and low not in w.STOP) or (
                shape == "U"
                and (
                    kind == "n"
                    or (kind == "u" and solid and len(low) > 3 and self._likeness(low) > 0)
                )
                and low not in w.SHORT_FORMS
                and low not in w.DEGREES
            ):
                solid += 1
            elif solid and self._odd_surname(j):
                j += 1
                break
            else:
                break
            j += 1
        return j if solid else i


_TITLE_BEFORE = re.compile(
    r"(?:Dr|Mr|Mrs|Ms|Miss|Mx|Prof|Smt|Shri|Sri|Master|Aunty|Nurse|Sister)\.?[ ](?=[^\W\d_]{2})",
    re.I,
)
_DEGREE_AFTER = re.compile(
    r",?[ ](?:M\.?D\.?|D\.?O\.?|B\.?Eng|M\.?Sc|B\.?Sc|Ph\.?D|DC|RMO|CNS|CNM\d?|RN|NP|PA|DDS|DVM|"
    r"PHN|NHI|DOB|MRN|NHS|RGN|SHO|SpR|StR|ST\d?|FY\d|CT\d)\Z"
)


def trimmed(text: str, hit: Hit) -> Hit:
    """A name without the title before it and the degree, post or label after it."""
    start, end = hit.start, hit.end
    while (title := _TITLE_BEFORE.match(text, start, end)) is not None:
        start = title.end()
    while (degree := _DEGREE_AFTER.search(text, max(start + 3, end - 8), end)) is not None:
        end = degree.start()
    return Hit(hit.kind, start, end, hit.sure)


_TITLES_ALONE = frozenset(["kum", "smt", "shri", "sri", "dr", "mr", "mrs", "ms", "prof"])


def is_title(text: str, hit: Hit) -> bool:
    """Whether a name found is but a title, whose name was found before: "Kum. [NAME]"."""
    found = text[hit.start : hit.end]
    return (
        fold(found).strip(" .") in _TITLES_ALONE
        and found[0].isupper()
        and re.match(r"\.?[ ]?\x01", text[hit.end : hit.end + 3]) is not None
    )


def find_names(text: str) -> Iterator[Hit]:
    """Names of people and of places in a text; doubtful ones marked."""
    finder = _Finder(text)
    yield from (trimmed(text, hit) for hit in finder.run() if not is_title(text, hit))
    yield from find_places(finder.words)
