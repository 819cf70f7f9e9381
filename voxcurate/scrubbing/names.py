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
from voxcurate.scrubbing.dates import MONTHS
from voxcurate.scrubbing.hits import Hit
from voxcurate.scrubbing.medical import STRONG_NOUN
from voxcurate.scrubbing.name_places import LANGUAGES, find_places
from voxcurate.scrubbing.name_spans import COMMA, JOIN
from voxcurate.scrubbing.name_spread import SpreadNames

_CLASSED = re.compile(
    r"(?:['’]s)?[ ](?:(?:type|class|grade|stage|zone|score|rule|sign|criteria|classification)\b"
    r"|[IVX]{1,4}[ab]?(?![\w.])|\d[abc]?(?![\w./:-]))"
)
_NO_ODD = w.STOP | w.NO_NAME | w.SHORT_FORMS | w.TITLES | w.DEGREES | LANGUAGES
_MONTHS = frozenset(MONTHS.split())
_DAY = re.compile(r"\.?[ \-/–]{0,2}[\d\x01]")
_CLASSES = frozenset(["ii", "iii", "iv"])
_PRODUCT = re.compile(
    r"[ -]?(?:®|™|\d|[(]\d|"
    r"(?:mg|mcg|ml|tab|inhaler|pump|system|scanner|software|workstation|contrast)\b)"
)
_AGED = re.compile(r",?\s(?:is\s)?an?\s\d{1,3}\b", re.IGNORECASE)
_NO_MORE_ON_LINE = re.compile(r"[ \t]*(?:\n|\Z|[<(\[|]|\d|DOB|MRN)")
_AGE = re.compile(r",?[ \t](?:is[ \t])?an?[ \t]\d{1,3}\b|[ \t]?\(?\d{1,3}[ \t]?(?:yo|y/o|[mf]\b)")


class _Finder(SpreadNames):
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
        if self._is_eponym(i, j) or _PRODUCT.match(words.text, words.ends[j - 1]):
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

    def _heads_line(self, i: int, j: int) -> bool:
        """Whether words `i` and `j` begin a line as "Surname, Given" would, with nothing after."""
        words = self.words
        if (i > 0 and "\n" not in words.gap(i)) or words.kinds[j] not in "nub":
            return False
        return (
            re.match(r"[ \t]*(?:\n|\Z|[<(\[|]|\d|DOB|MRN)", words.text[words.ends[j] :]) is not None
        )

    def _judge(self, i: int, j: int) -> str:
        """``sure``, ``doubtful`` or empty, for a run of capitalised words."""
        words = self.words
        core = [
            k
            for k in range(i, j)
            if words.shapes[k] != "I"
            and not (words.low[k] in w.PARTICLES and words.kinds[k] != "n")
        ]
        if not core or self._is_eponym(i, j):
            return ""
        if (
            len(core) == 2
            and words.low[core[1]] in _CLASSES
            and words.low[core[0]] in self.lexicon.eponyms
        ):
            return ""  # "Hinchey III"
        if len(core) <= 2 and _CLASSED.match(words.text, words.ends[j - 1]):
            return ""  # "Michels type III", "Hinchey Ib"
        if i > 0 and words.low[i - 1] == "morbus":
            return ""
        kinds = [words.kinds[k] for k in core]
        lows = [words.low[k] for k in core]
        given = self.lexicon.given
        if len(core) == 1:
            if j - i > 1 and words.shapes[i] == "I":
                return self._judge_initialled(i, core[0])
            return self._judge_lone(core[0], j)
        if "n" in kinds:
            unknown = [low for low, kind in zip(lows, kinds, strict=True) if kind == "u"]
            if (
                unknown
                and all(self._likeness(low) < -6 for low in unknown)
                and not any(low in given for low in lows)
            ):
                return ""
            return "sure"
        if kinds[0] == "b" and lows[0] in given:
            if kinds[-1] == "b" and lows[-1] in self.lexicon.surnames:
                return "doubtful"
            if kinds[-1] == "u" and self._likeness(lows[-1]) > 0:
                return "doubtful"
        if (
            kinds[-1] == "b"
            and lows[-1] in self.lexicon.surnames
            and kinds[0] == "u"
            and self._likeness(lows[0]) > 1
        ):
            return "doubtful"
        foreign = words.languages[i] != "e" and len(core) <= 3
        if foreign and "w" not in kinds and not words.begins(i) and self._are_listed(lows):
            return "doubtful"
        if all(kind == "u" for kind in kinds) and len(core) <= 3:
            scores = [self._likeness(low) for low in lows]
            bonus = self._context(i, j)
            if self._has_own_line(i, j):
                bonus += 4.0
            if self._is_surname_first(i, j):
                return "doubtful"
            if min(scores) > -5 and sum(scores) + bonus > -1:
                return "doubtful"
        return ""

    def _are_listed(self, lows: list[str]) -> bool:
        """Whether a given name begins the words and a name, or what looks like one, ends them."""
        known = self.lexicon
        given = lows[0] in known.given or lows[0] in known.long["given"]
        return given and (known.fame(lows[-1]) > 0 or self._likeness(lows[-1]) > 0)

    def _has_own_line(self, i: int, j: int) -> bool:
        """Whether a line begins with words `i` to `j` and ends or goes on after a comma."""
        words = self.words
        if i > 0 and "\n" not in words.gap(i):
            return False
        return re.match(r"[ \t]*(?:,|\n|\Z)", words.text[words.ends[j - 1] :]) is not None

    def _is_surname_first(self, i: int, j: int) -> bool:
        """Whether a line begins with words `i` to `j` as "Surname, Given"."""
        words = self.words
        return any("," in words.gap(k) for k in range(i + 1, j)) and self._heads_line(i, j - 1)

    def _judge_initialled(self, i: int, k: int) -> str:
        words = self.words
        if words.kinds[k] == "n" or (words.kinds[k] == "b" and not words.begins(i)):
            return "sure"
        return (
            "doubtful"
            if words.kinds[k] == "u"
            and self._likeness(words.low[k]) > -1
            and "." in words.gap(i + 1)
            else ""
        )

    def _judge_lone(self, k: int, j: int) -> str:
        words = self.words
        low, kind, shape = words.low[k], words.kinds[k], words.shapes[k]
        if low in _MONTHS and _DAY.match(words.text, words.ends[k]):
            return ""
        if (
            low in self.lexicon.eponyms
            and (
                words.text[words.ends[k] : words.ends[k] + 1] in "'’-"
                or words.text[words.starts[k] - 1 : words.starts[k]] in ("-", "–")
            )
            and words.ends[k] < len(words.text)
        ):
            return ""
        if kind == "n":
            if shape == "U" and (
                low in self.lexicon.eponyms or len(low) < 5 or self.lexicon.fame(low) < 2
            ):
                return ""
            if low in self.lexicon.eponyms or low in self.lexicon.places:
                return "doubtful" if self._context(k, j) > 0 else ""
            if not words.begins(k):
                return "sure"
            return "doubtful" if self.lexicon.fame(low) > 1 or self._context(k, j) > 0 else ""
        if shape != "C" or low in w.SHORT_FORMS:
            return ""
        context = self._context(k, j)
        if kind == "b":
            given = low in self.lexicon.given or self._is_given(low)
            likely = context >= (1.5 if given and not words.begins(k) else 3)
            odd = low not in LANGUAGES and not self._is_heading(k) and not self._is_in_heading(k)
            likely = likely or (odd and self._is_unexplained(k))
            return "doubtful" if likely else ""
        if context > 0 and self._likeness(low) + 2 * context > 2.5:
            return "doubtful"
        return "doubtful" if self._is_unexplained(k) else ""

    def _is_in_heading(self, k: int) -> bool:
        """Whether a word stands beside another capitalised one that reports have."""
        words = self.words
        before = k > 0 and words.gap(k) == " " and words.shapes[k - 1] in "CU"
        after = k + 1 < words.n and words.gap(k + 1) == " " and words.shapes[k + 1] in "CU"
        return (before and not self.taken[k - 1]) or (after and words.kinds[k + 1] == "w")

    def _is_unexplained(self, k: int) -> bool:
        """Whether nothing tells why a strange word has a capital within an English sentence."""
        words = self.words
        if words.begins(k) or words.languages[k] == "g" or len(words.low[k]) < 3:
            return False
        if any(part in self.lexicon.eponyms for part in words.low[k].split("-")):
            return False
        return _PRODUCT.match(words.text, words.ends[k]) is None

    def _context(self, i: int, j: int) -> float:
        """How much the words around speak of a person."""
        words = self.words
        weight = 0.0
        if (
            i > 0
            and not words.begins(i)
            and words.low[i - 1] in w.WEAK_BEFORE
            and words.gap(i).isspace()
        ):
            weight += 1.5
        if words.text[words.ends[j - 1] : words.ends[j - 1] + 2] in ("'s", "’s") and j < words.n:
            weight += (
                3.0
                if words.low[j] in w.KIN
                or words.low[j] in ("family", "care", "room", "chart", "parents", "home", "house")
                else 0.5
            )
        elif (
            j < words.n
            and words.gap(j) == " "
            and words.low[j] in w.PERSON_VERBS
            and words.shapes[j] == "L"
        ):
            if words.low[j] not in w.WEAK_VERBS:
                weight += 3.0
            elif j + 1 < words.n and words.low[j + 1] in w.AFTER_WAS:
                personal = words.low[j + 1] in w.DONE_TO_PEOPLE
                weight += 3.0 if personal or words.low[j] not in ("is", "was") else 2.0
        if (
            j + 1 < words.n
            and words.gap(j) == " "
            and words.low[j] == "to"
            and words.low[j + 1] in w.DUTIES
        ):
            weight += 3.0
        if re.match(
            r",?[ \t](?:is[ \t])?an?[ \t]\d{1,3}\b|[ \t]?\(?\d{1,3}[ \t]?(?:yo|y/o|[mf]\b)",
            words.text[words.ends[j - 1] : words.ends[j - 1] + 14],
        ):
            weight += 4.0
        return weight

    def _free_caseless(self, i: int) -> int:
        """A name in capitals among capitals, or small among small: the lists must know it."""
        words = self.words
        low, kind = words.low[i], words.kinds[i]
        if words.shapes[i] == "I" or low in w.STOP or low in w.SHORT_FORMS:
            return i + 1
        given, surnames = self.lexicon.given, self.lexicon.surnames
        j = i + 1
        aged = self._before_age(i)
        if aged:
            self._hit(i, aged)
            return aged
        if kind in "nb" and low in given and j < words.n and not self.taken[j]:
            k = j
            if words.shapes[k] == "I" or (len(words.low[k]) == 1 and words.gap(k + 1)[:1] in ". "):
                k += 1
            while (
                k < words.n
                and words.low[k] in w.PARTICLES
                and k < j + 3
                and JOIN.match(words.gap(k))
            ):
                k += 1
            if (
                k < words.n
                and JOIN.match(words.gap(k))
                and "\n" not in words.gap(k)
                and words.low[k] not in w.STOP
                and (words.low[k] not in w.SHORT_FORMS or words.kinds[k] == "n")
            ):
                other = words.kinds[k]
                known = (other == "n" and (kind == "n" or words.low[k] in surnames)) or (
                    other == "b" and kind == "n" and words.low[k] in surnames
                )
                strange = (
                    other == "u"
                    and kind == "n"
                    and len(words.low[k]) > 3
                    and self._likeness(words.low[k]) > (0 if words.caseless[k] else 2)
                )
                if (known or strange) and not self._is_eponym(i, k + 1):
                    self._hit(i, k + 1, sure=known)
                    return k + 1
        if (
            kind in "ub"
            and words.shapes[i] == "U"
            and j < words.n
            and COMMA.match(words.gap(j))
            and words.low[j] in given
            and words.shapes[j] == "U"
            and self._likeness(low) > -3
        ):
            self._hit(i, j + 1)
            return j + 1
        if (
            kind == "n"
            and j < words.n
            and COMMA.match(words.gap(j))
            and words.low[j] in given
            and words.kinds[j] == "n"
            and words.shapes[j] == words.shapes[i]
        ):
            self._hit(i, j + 1)
            return j + 1
        if (kind == "n" and self._is_pure(i)) or (
            kind == "b" and words.caseless[i] and self._owns_kin(i)
        ):
            self._hit(i, i + 1, sure=False)
        return i + 1

    def _owns_kin(self, i: int) -> bool:
        """ "MERCY'S SON"."""
        words = self.words
        owner = words.text[words.ends[i] : words.ends[i] + 2] in ("'S", "'s")
        return owner and i + 1 < words.n and words.low[i + 1] in w.KIN

    def _is_pure(self, i: int) -> bool:
        """Whether a name in small letters or capitals is no word, eponym or town of any list."""
        words = self.words
        low, fame = words.low[i], self.lexicon.fame(words.low[i])
        if low in self.lexicon.eponyms or low in self.lexicon.places:
            return False
        if words.languages[i] != "e" and not (words.caseless[i] and fame == 3):
            return False
        short = 4 if fame == 3 and (words.caseless[i] or words.shapes[i] == "L") else 5
        return len(low) >= short and STRONG_NOUN.match(words.text, words.ends[i]) is None

    def _before_age(self, i: int) -> int:
        """The index after two or three words in capitals before "is a 71 year old"; else 0."""
        words = self.words
        for j in (i + 2, i + 3):
            if j > words.n or any(
                words.kinds[k] == "w" and words.shapes[k] != "I" for k in range(i, j)
            ):
                return 0
            if any(
                not (JOIN.match(words.gap(k)) or COMMA.match(words.gap(k))) for k in range(i + 1, j)
            ):
                return 0
            if _AGED.match(words.text, words.ends[j - 1]):
                return j
        return 0


def find_names(text: str) -> Iterator[Hit]:
    """Names of people and of places in a text; doubtful ones marked."""
    finder = _Finder(text)
    yield from finder.run()
    yield from find_places(finder.words)
