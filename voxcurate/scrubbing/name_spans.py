"""Where a name that begins at some word ends, and whether it can begin there."""

import re
from functools import lru_cache

from voxcurate.scrubbing import name_words as w
from voxcurate.scrubbing.hits import Hit
from voxcurate.scrubbing.medical import MEDICAL_NOUN, STRONG_NOUN, STRONG_NOUN_ANY_CASE
from voxcurate.scrubbing.name_reading import Words
from voxcurate.scrubbing.vocabulary import lexicon
from voxcurate.scrubbing.wordlist import word_set

JOIN = re.compile(
    r"(?:[ \t]{1,2}|\.[ \t]?|\.?-|\^|[ \t]*=[ \t]*|[ ]['\"“‘]|['\"”’][ ])\Z"
)  # between the words of a name
COMMA = re.compile(r"[ \t]?,[ \t]*\Z")
_UNLIKELY = -9.0
_ROMAN = frozenset(["ii", "iii", "iv", "vi"])
_CLASS = re.compile(
    r"(?:['’]s)?[ ](?:(?:type|class|grade|stage|zone|score|levels?)\b|[IVX]{1,4}[ab]?(?![\w.])"
    r"|[A-D]\d?(?![\w.])|\d{1,2}(?:/\d{1,2})?[a-c]?(?![\w/:-]|\.\d)|[:;]|0-)"
    r"|:[ ]\d{1,3}(?:/\d{1,3})?(?![\w/:-]|\.\d)"
    # "Simpson 34%", "Berg not done", "no Palmer seen"
    r"|[ ](?:[<>~=]?[ ]?\d{1,3}(?:\.\d)?[ ]?%|\+(?!\d)"
    r"|(?:neg|pos|n/a|-ve|\+ve|nil|normal|negative|positive|abnormal"
    r"|(?:was[ ]|is[ ])?not[ ](?:used|needed|done|tolerated|performed|required))(?!\w))"
)
_KIND_BEFORE = frozenset(["biplane", "modified", "reverse", "reversed", "inverted", "classical"])
_TITLED = re.compile(r"\.?[ ]\Z")
_ACTS = word_set("will may mark said drew sue hope rob grant chance can rose pat")
_NO_NAME_ENDING = re.compile(r"(?:ed|ing|ive|ous|ly|ic|al|able|ate)$")
_MONTH_NAMES = word_set("may april june august march")
_ANATOMY = word_set("""
    pouch circle ligament angle sphincter duct foramen space triangle canal ampulla island islands
    islet islets loop tunnel fascia cave angle vein valve fissure line sign arch node nodes trunk
    spine mastoid septum muscle band crest tubercle body bodies bundle cells cell notch plexus
    process gland glands membrane artery ring nerve knot point zone
""")  # "pouch of Douglas"
_HARD = word_set("foley gleason hickman barrett park conn fontan apgar doppler still down hill")


@lru_cache(maxsize=1)
def hard_eponyms() -> frozenset[str]:
    """Eponyms that are hardly anybody's name in a report: they need a title to be one."""
    known = lexicon()
    return frozenset(e for e in known.eponyms if known.kind(e) in "wu") | _HARD


class NameSpans:
    """The names found so far in one text, and how to take one more.

    How much a word has to look like a name depends on the `mode`, what stands before it: a
    ``title``, a ``label`` ("Attending:"), a ``strong`` verb ("discussed with"), a ``medium`` one
    ("asked"), or nothing: ``free``.
    """

    def __init__(self, text: str) -> None:
        self.words = Words(text)
        self.lexicon = lexicon()
        self.taken = [False] * self.words.n
        self.hits: list[Hit] = []

    def _fits(self, i: int, mode: str, *, first: bool = True) -> bool:
        """Whether word `i` can be (the first) part of a name after such an introduction."""
        words = self.words
        low, kind, shape = words.low[i], words.kinds[i], words.shapes[i]
        if low in w.STOP and not (mode == "title" and low in _MONTH_NAMES and shape == "C"):
            return False
        if (low in w.DEGREES and shape == "U") or (low in w.NO_NAME and kind in "wu"):
            return False
        caseless = words.caseless[i]
        if shape == "C" and not caseless:
            if kind != "w":
                return (
                    first
                    or kind != "u"
                    or mode in ("title", "label")
                    or self._likeness(low) > _UNLIKELY
                )
            initialled = i > 0 and words.shapes[i - 1] == "I" and words.gap(i)[:1] == "."
            if initialled and mode in ("label", "strong", "medium") and low not in w.NO_NAME:
                return True
            return first and (mode == "title" or (mode in ("label", "strong") and self._leads(i)))
        if shape in ("U", "C"):
            if low in w.SHORT_FORMS and not (kind == "n" and mode in ("title", "label")):
                return False
            if kind == "n":
                return True
            if caseless:
                if mode in ("title", "label"):
                    return kind in "bu" or (first and (mode == "title" or self._leads(i)))
                if kind == "b":
                    return mode == "strong" and low not in _ACTS
                return kind == "u" and len(low) > 3 and self._likeness(low) > 0
            if mode in ("title", "label"):
                return kind in "bu" and (len(low) > 2 or mode == "title")
            return kind in "u" and len(low) > 4 and self._likeness(low) > 1
        if shape == "L" and len(low) > 1:
            if not first and not caseless and words.shapes[i - 1] != "L":
                return False
            if kind == "n":
                return len(low) > 2 or mode in ("title", "label")
            if mode == "title":
                return kind == "u" or (kind == "b" and first)
            if mode == "label":
                return kind == "u" and caseless and self._likeness(low) > -2
            if mode != "strong" or not caseless or _NO_NAME_ENDING.search(low):
                return False
            if kind == "b":
                return low in self.lexicon.given and low not in _ACTS
            return kind == "u" and len(low) > 3 and self._likeness(low) > 0
        if shape == "M":
            return kind in "nu" and mode in ("title", "label")
        return False

    def _leads(self, i: int) -> bool:
        """Whether an ordinary word begins a name, as "Summer" does in "Summer Fletcher"."""
        words = self.words
        k = i + 1
        if k < words.n and words.shapes[k] == "I" and words.gap(k + 1)[:1] == ".":
            k += 1
        if k >= words.n or not JOIN.match(words.gap(k)) or "\n" in words.gap(k):
            return False
        if words.shapes[k] != words.shapes[i] or words.low[k] in w.STOP:
            return False
        return words.kinds[k] == "n" or (
            words.kinds[k] == "u" and self._likeness(words.low[k]) > -3
        )

    def _likeness(self, low: str) -> float:
        return self.lexicon.likeness(low)

    def _take(self, i: int, mode: str) -> int:
        """The index after the name that begins with word `i`; `i` itself if none does."""
        words = self.words
        j, solid, comma = i, 0, False
        while j < words.n and j - i < 6:
            if words.low[j] in w.SUFFIXES and solid and words.shapes[j] != "L":
                j += 1
                break
            if j > i:
                gap = words.gap(j)
                if (
                    COMMA.match(gap)
                    and not comma
                    and solid <= 2
                    and self._is_given_after_comma(j, mode)
                ):
                    comma = True
                elif not JOIN.match(gap) or (
                    gap.startswith(".")
                    and words.shapes[j - 1] != "I"
                    and words.low[j - 1] not in ("v", "st")
                ):
                    break
            if (
                words.low[j] in ("m", "r", "d")
                and j + 1 < words.n
                and words.low[j] + words.low[j + 1] in ("md", "rn", "do")
                and words.gap(j + 1) == "."
            ):
                break
            if words.shapes[j] == "I" or (words.low[j] in w.PARTICLES and words.shapes[j] != "U"):
                if not self._leads_on(j, mode, solid):
                    break
                j += 1
                continue
            if (
                words.low[j] in w.PARTICLES
                and words.kinds[j] in "wb"
                and words.shapes[j] == "U"
                and self._leads_on(j, mode, solid)
                and mode in ("title", "label")
            ):
                j += 1
                continue
            if (
                words.shapes[j] == "L"
                and solid
                and "C" in words.shapes[i:j]
                and not words.caseless[j]
            ):
                break  # "Frau Dr. Vogelsang zu prüfen"
            odd = solid and self._odd_surname(j, mode)
            if not odd and not self._fits(j, mode, first=solid == 0):
                break
            solid += 1
            j += 1
        lone_initial = solid == 0 and j > i
        if lone_initial and mode not in ("title", "label"):
            return i
        return j if solid or lone_initial else i

    def _leads_on(self, j: int, mode: str, solid: int) -> bool:
        """Whether an initial or particle at `j` belongs to a name, by what is beside it."""
        words = self.words
        after = words.gap(j + 1)
        if words.shapes[j] == "I":
            dotted = after[:1] == "."
            if (
                j + 1 < words.n
                and JOIN.match(after)
                and (words.shapes[j + 1] == "I" or self._fits(j + 1, mode, first=True))
            ):
                return words.low[j + 1] not in w.STOP
            if dotted and j + 1 < words.n and words.low[j + 1] in w.PARTICLES:
                return self._leads_on(j + 1, mode, 1)
            if mode == "free":
                return solid > 0 and (dotted and words.shapes[j - 1] in "CU")
            return ((dotted or solid > 0 or mode == "title") and words.low[j] != "a") or dotted
        if words.low[j] == "st" and words.gap(j + 1)[:1] == "." and j + 1 < words.n:
            return mode in ("title", "label") or words.is_titled(j + 1)
        k = j + 1
        while (
            k < words.n and k < j + 3 and words.low[k] in w.PARTICLES and JOIN.match(words.gap(k))
        ):
            k += 1
        if k >= words.n or not JOIN.match(words.gap(k)) or words.low[k] in w.STOP:
            return False
        if not solid and words.shapes[j] == "L" and mode not in ("title", "label"):
            return mode == "strong" and words.is_titled(k) and words.kinds[k] != "w"
        if (
            words.low[j] in ("y", "e", "o", "te", "op", "al")
            and words.shapes[j] == "L"
            and not (solid and words.shapes[k] == "C")
        ):
            return False
        return self._fits(k, mode, first=True)

    def _is_given_after_comma(self, j: int, mode: str) -> bool:
        words = self.words
        low = words.low[j]
        if low in w.DEGREES or low in w.STOP:
            return False
        if words.shapes[j] == "I":
            return mode in ("label", "title") or words.gap(j + 1)[:1] == "."
        if words.shapes[j] == "L" and not words.caseless[j]:
            return False
        if low in self.lexicon.given:
            return True
        return mode == "label" and words.kinds[j] in "nub" and words.kinds[j - 1] != "w"

    def _odd_surname(self, j: int, mode: str = "free") -> bool:
        """A surname that is an ordinary word: capitalised after a given name, inside a sentence."""
        words = self.words
        before = words.low[j - 1]
        after_one = words.is_titled(j) and words.low[j] not in w.STOP and words.shapes[j - 1] == "C"
        if after_one and j + 1 < words.n and words.low[j + 1] in w.DEGREES:
            return words.shapes[j + 1] == "U"
        if after_one and mode == "title":
            return re.match(r"\s*[.,;)\n]|\s[a-z]|\Z", words.text[words.ends[j] :]) is not None
        if words.low[j] in w.STOP or not words.is_titled(j) or before not in self.lexicon.given:
            return False
        if (
            words.kinds[j - 1] != "n"
            or words.low[j] in self.lexicon.eponyms
            or len(words.low[j]) < 4
        ):
            return False
        return not (j + 1 < words.n and words.shapes[j + 1] in "CU" and words.gap(j + 1) == " ")

    def _hit(self, i: int, j: int, *, sure: bool = True) -> None:
        words = self.words
        if any(self.taken[i:j]):
            while i < j and self.taken[i]:
                i += 1
            k = i
            while k < j and not self.taken[k]:
                k += 1
            j = k
            if i == j:
                return
        for k in range(i, j):
            self.taken[k] = True
        self.hits.append(Hit("NAME", words.starts[i], words.ends[j - 1], sure))

    def _is_eponym(self, i: int, j: int) -> bool:
        """Whether the words name a disease, sign or device rather than somebody."""
        words = self.words
        if j - i == 1 and words.low[i] in hard_eponyms():
            return True
        if j - i > 1 and "-".join(words.low[i:j]) in self.lexicon.eponyms:
            return True  # "Bence Jones"
        known = self.lexicon.classes
        kind = i > 0 and words.low[i - 1] in _KIND_BEFORE and words.gap(i) == " "
        classed = kind or words.low[j - 1] in _ROMAN or _CLASS.match(words.text, words.ends[j - 1])
        if classed and all(words.low[k] in known or words.low[k] in _ROMAN for k in range(i, j)):
            return self._is_bare(i, j)
        initialled = words.shapes[i] == "I" and j - i > 1 and words.gap(i + 1)[:1] == "."
        noun = STRONG_NOUN_ANY_CASE if words.caseless[j - 1] else STRONG_NOUN
        if not initialled and noun.match(words.text, words.ends[j - 1]):
            return self._is_bare(i, j)
        if not any(
            part in self.lexicon.eponyms for k in range(i, j) for part in words.low[k].split("-")
        ):
            return False
        if initialled:
            return words.low[i] == "m" and words.languages[i] == "g"  # "M. Parkinson": morbus
        if all(words.shapes[k] == "I" for k in range(i, j - 1)) and j - i > 1:
            return True  # "factor V Leiden"
        if j - i == 1 and words.shapes[i] == "C" and "-" in words.low[i]:
            parts = words.low[i].split("-")
            if all(part in self.lexicon.eponyms for part in parts):
                return True
        if i > 1 and words.low[i - 1] == "of" and words.low[i - 2] in _ANATOMY:
            return True
        if j - i == 1 and "-" in words.low[i]:
            return any(part in hard_eponyms() for part in words.low[i].split("-"))
        return MEDICAL_NOUN.match(words.text, words.ends[j - 1]) is not None

    def _is_bare(self, i: int, j: int) -> bool:
        """Whether no given name, title or label makes a person of a name before "sign"."""
        words = self.words
        if i > 0 and words.low[i - 1] in w.TITLES and _TITLED.match(words.gap(i)):
            return False
        first = words.low[i]
        return j - i == 1 or first not in self.lexicon.given or first in self.lexicon.eponyms

    def _is_heading(self, i: int) -> bool:
        return self.words.gap(i + 1).lstrip()[:1] == ":"
