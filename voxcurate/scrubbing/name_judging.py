"""Whether capitalised words are somebody's name: by the lists, by letters, by the words around."""

import re

from voxcurate.scrubbing import name_words as w
from voxcurate.scrubbing.medical import CLINICAL
from voxcurate.scrubbing.months import MONTH_WORDS
from voxcurate.scrubbing.name_places import LANGUAGES, PROVINCES
from voxcurate.scrubbing.name_spread import SpreadNames
from voxcurate.scrubbing.wordlist import word_set

_CLASSED = re.compile(
    r"(?:['’]s)?[ ](?:(?:type|class|grade|stage|zone|score|rule|sign|criteria|classification)\b"
    r"|[IVX]{1,4}[ab]?(?![\w.])|\d[abc]?(?![\w./:-]))"
)
_DAY = re.compile(r"\.?[ \-/–]{0,2}[\d\x01]")
_CLASSES = frozenset(["ii", "iii", "iv"])
_BEFORE_PEOPLE = frozenset(["by", "with", "per", "told", "asked", "met", "saw", "via", "thanks"])
PRODUCT = re.compile(
    r"[ -]?(?:®|™|\d|[(]\d|"
    r"(?:mg|mcg|ml|tab|inhaler|pump|system|scanner|software|workstation|contrast)\b)"
)
# a medicine's form before its name, what follows it, and who makes devices
FORMS = word_set(
    "tab tabs tablet tablets cap caps inj injection syp syr syrup susp oint gtt neb nebs patch "
    "drops spray infusion amp amps cpr compr tbl tabl kaps comprimido comprimidos"
)
DOSED = re.compile(
    r"[ ](?:OD|BD|TDS|TID|BID|QID|QDS|HS|SOS|PRN|SR|XR|XL|XT|MR|CR|LA|ER|ODT|DS|GP\d|AM|SP|LC|"
    r"\d+([.,]\d+)?[ ]?(?:mg|mcg|g|ml|IE|IU|UI|units?|puffs?|U)?(?:[ ](?:OD|BD|TDS|HS|x|mg|1-))|"
    r"1[ ]?-[ ]?[01][ ]?-[ ]?[01])(?!\w)"
)
MAKERS = word_set(
    "gore cook bard abbott edwards terumo cordis merit stryker zimmer biomet hologic varian elekta "
    "codman covidien olympus storz pentax baxter drager getinge lemaitre vascutek integra rehau "
    "smith depuy conmed teleflex arrow argon angiodynamics spectranetics nellcor maquet wright "
    "nevro axonics cochlear sonova phonak resmed hologic leica nikon canon agfa barco eizo carl"
)
_LIST_BEFORE = re.compile(r"[^.;:\n\x01]{0,14},[ ](?:Tab\.?[ ]|Inj\.?[ ])?")
_LIST_AFTER = re.compile(r"[^.;:\n\x01]{0,14},[ ]")


class JudgedNames(SpreadNames):
    """Judges words that might be a name though nothing introduces them."""

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
        if len(core) == 2 and words.low[core[1]] in _CLASSES:
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
        if self._is_foreign_eponym(i, lows):
            return ""
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
        if words.languages[i] == "g" and self._is_german_noun(i, j):
            return ""  # "Kleiner Perikarderguss"
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

    def _is_german_noun(self, i: int, j: int) -> bool:
        """Whether the first word ends as adjectives do, and is nobody's given name."""
        low = self.words.low[i]
        given = low in self.lexicon.given or low in self.lexicon.long["given"]
        return (
            re.search(r"(?:e|er|es|en|em)$", low) is not None
            and not given
            and not self._has_own_line(i, j)
        )

    def _is_foreign_eponym(self, i: int, lows: list[str]) -> bool:
        """ "Mikroangiopathie Fazekas", "Maladie de Forestier": no given name before an eponym."""
        known = self.lexicon
        if self.words.languages[i] == "e" or not any(low in known.eponyms for low in lows):
            return False
        return not any(low in known.given or low in known.surnames for low in lows[:-1])

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
        if low in w.TITLES or low in PROVINCES or (not words.begins(k) and self._is_product(k)):
            return ""
        if low in MONTH_WORDS and _DAY.match(words.text, words.ends[k]):
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
                told = k > 0 and words.low[k - 1] in _BEFORE_PEOPLE and not words.begins(k)
                return "doubtful" if told or self._context(k, j) > 1.5 else ""
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
        if self._is_label(k) or self._is_product(k):
            return False
        return PRODUCT.match(words.text, words.ends[k]) is None

    def _is_label(self, k: int) -> bool:
        """Whether a strange word before a colon begins a line or a column: "  Adres: ..."."""
        words = self.words
        return self._is_heading(k) and (k == 0 or re.search(r"[ ]{2}|\n", words.gap(k)) is not None)

    def _is_product(self, k: int) -> bool:
        """Whether a form or a maker stands before the word, or a dose after: "Tab Glycomet OD"."""
        words = self.words
        if DOSED.match(words.text, words.ends[k]):
            return True
        if words.low[k] in MAKERS and k + 1 < words.n and words.gap(k + 1) == " ":
            return words.shapes[k + 1] in "CUM" and words.low[k + 1] not in self.lexicon.given
        if self._is_among_products(k):
            return True
        before = words.low[k - 1] if k > 0 else ""
        return before in FORMS and re.fullmatch(r"\.?[ ]", words.gap(k)) is not None

    def _is_among_products(self, k: int) -> bool:
        """Whether the word stands in a list beside medicines: "Adiro 100, Zaldiar, Urbason"."""
        words = self.words
        beside = 0
        if k > 0 and _LIST_BEFORE.fullmatch(words.gap(k)):
            beside += any(map(self._is_medicine, words.low[max(0, k - 2) : k]))
        if k + 1 < words.n and _LIST_AFTER.fullmatch(words.gap(k + 1)):
            beside += self._is_medicine(words.low[k + 1])
        return beside > (self.lexicon.fame(words.low[k]) > 1)

    def _is_medicine(self, low: str) -> bool:
        return low in self.lexicon.products or (len(low) > 6 and CLINICAL.search(low) is not None)

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
            and not (words.low[j] == "met" and words.languages[i] != "e")
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
