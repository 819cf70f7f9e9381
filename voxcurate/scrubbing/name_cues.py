"""Names that something introduces: titles, labels, verbs, relatives, degrees, signatures."""

import re

from voxcurate.scrubbing import name_words as w
from voxcurate.scrubbing.hits import Hit
from voxcurate.scrubbing.name_spans import COMMA, JOIN, NameSpans
from voxcurate.scrubbing.vocabulary import fold
from voxcurate.scrubbing.wordlist import word_set

_AFTER_LABEL = re.compile(r"[ \t]*(?:\([^()\n]{0,20}\))?[ \t]*[:=][ \t]*(?:\n[ \t]*)?\Z|\][ \t]?\Z")
_AFTER_TITLE = re.compile(r"\.?[ \t]*(?:\n[ \t]*)?\Z")
_AFTER_VERB = re.compile(r"(?:[ \t]*,)?[ \t]*(?:\n[ \t]*)?\Z|[ \t]*[(\"“][ \t]*\Z|\.[ \t]\Z")
_TITLED = w.TITLES | w.BETWEEN
_PLAIN_TITLES = word_set("dr mr mrs ms miss prof professor mx sir")
_DAYS = word_set(
    "may april june august march january february sunday monday tuesday wednesday thursday friday "
    "saturday"
)
_AFTER_DOCTORS = word_set(
    "in here aware at to and from of on for who recommends says with by about re regarding via"
)
_AND = re.compile(r"[ \t]*(?:[;,/&+]|\band\b|\bund\b|\ben\b|\by\b)[ \t]*\Z")
_INITIALS = re.compile(r"(?<![\w/])[A-Z]{2,4}(?:[/:]|[ ]/[ ])[a-z]{2,4}(?=\s*(?:\n|$|\d))")
_NO_INITIALS = word_set("lat min hr day kg dl ml mm cm hrs obl mr sec ct us pa ap iv po im pet")
_SIGNED = re.compile(r"(?im)(?:^[ \t]*(?:--?|[–—~])[ \t]?|/s/[ \t]*|\bs/[ \t]+)(?=[^\W\d_])")


class IntroducedNames(NameSpans):
    """Finds the names that something introduces."""

    def find_introduced(self) -> None:
        """Take every name that a word before or after it announces."""
        words = self.words
        for i, low in enumerate(words.low):
            if low in w.TITLES:
                self._after_title(i)
            if low in w.LABELS:
                self._after_label(i)
            if low in ("by", "with", "to", "w", "is", "am", "i'm") or low in w.OBJECT_VERBS:
                self._after_verb(i)
            if low in w.DEGREES or low == "m":
                self._before_degree(i)
        self._signatures()

    def _after_title(self, i: int) -> None:
        words = self.words
        low, k = words.low[i], i + 1
        if low == "fr" and words.gap(i).rstrip()[-1:].isdigit():
            return  # a size: "19 Fr"
        if words.shapes[i] == "I" or (
            len(low) < 4
            and low in w.SOFT_TITLES
            and low not in ("ms", "mx", "mw", "rev", "sir")
            and words.gap(k)[:1] != "."
        ):
            return
        while k < min(words.n, i + 6) and words.low[k] in _TITLED:
            if not _AFTER_TITLE.match(words.gap(k)):
                break
            k += 1
        if k >= words.n or not _AFTER_TITLE.match(words.gap(k)):
            return
        if words.text[words.ends[k] : words.ends[k] + 1].isdigit():
            return  # "syngo MR XA20"
        capitals = words.shapes[i] == words.shapes[k] == "U" and not words.caseless[i]
        if capitals and words.kinds[k] != "n" and words.gap(i + 1)[:1] != ".":
            return  # "syngo MR XA20"
        if self._is_no_title(i, k) and not self._leads(k) and self._take_any(i, k) == k:
            return
        several = low in ("dr", "drs", "doctors")
        for _ in range(4):
            j = max(self._take(k, "title"), self._take_any(i, k))
            if j <= k:
                return
            self._hit(k, j)
            if not several or j >= words.n:
                return
            k = j + 1 if words.low[j] in ("and", "or", "und", "en") else j
            strange = k < words.n and (words.kinds[k] != "w" or words.low[k] == "st")
            if not strange or (k == j and not _AND.match(words.gap(j))):
                return
            if words.shapes[k] == "U" and words.shapes[j - 1] == "C":
                return  # "Dr Pippa Lowe, TYA"
            if k > j and words.shapes[k] != "C":
                return

    def _take_any(self, i: int, k: int) -> int:
        """The index after an ordinary word that the title at `i` makes a name: "Dr. Hand"."""
        words = self.words
        if words.low[i] not in _PLAIN_TITLES or "\n" in words.gap(k) or self.taken[k]:
            return k
        low, shape = words.low[k], words.shapes[k]
        never = low in w.DEGREES or low in w.SHORT_FORMS or low in w.NO_NAME or low in w.TITLES
        if never or (low in w.STOP and low not in _DAYS):
            return k
        if words.shapes[i] == "L" and shape == "L" and words.low[i] in ("mr", "mrs", "ms"):
            return k + 1 if len(low) > 2 and words.gap(k) in (" ", ". ") else k
        if words.caseless[i]:
            return k + 1 if self._is_odd_name(i, k) else k
        if words.shapes[i] != "C" or shape != "C":
            return k
        j = k + 1
        while (
            j < words.n
            and j - k < 3
            and words.gap(j) in (" ", "-")
            and words.shapes[j] == "C"
            and low in _DAYS | w.PARTICLES
            and words.low[j] not in w.STOP | w.NO_NAME | w.DEGREES
        ):
            j += 1
        return k if low in _DAYS and j == k + 1 else j

    def _is_odd_name(self, i: int, k: int) -> bool:
        """Whether an ordinary word after "dr" or "DR" among words like it does something."""
        words = self.words
        low = words.low[k]
        if words.low[i] != "dr" or low in w.STOP or low in w.PERSON_VERBS or low in _DAYS:
            return False
        if len(low) < 3 or re.search(r"(?:ed|ing|ly|s)$", low) or words.gap(k) not in (" ", ". "):
            return False
        after = words.low[k + 1] if k + 1 < words.n and words.gap(k + 1) == " " else ""
        return after in w.PERSON_VERBS or after in _AFTER_DOCTORS

    def _is_no_title(self, i: int, k: int) -> bool:
        """Whether "MS", "Dr", "Sr" at word `i` is none, by word `k` that would be the name."""
        words = self.words
        low, kind, shape = words.low[i], words.kinds[k], words.shapes[k]
        dotted = "." in words.gap(i + 1)
        short = words.shapes[i] == "U" and low in ("dr", "ms", "mr")
        if "\n" in words.gap(k) and kind != "n":
            return True
        particle = words.low[k] in w.PARTICLES and self._take(k, "title") > k + 1
        doctor = low == "dr" and dotted and words.caseless[i] and words.low[k] not in w.NO_NAME
        if kind == "w" and (short or low in w.SOFT_TITLES) and not (particle or doctor):
            return True
        if (
            short
            and not (words.caseless[i] and dotted)
            and kind not in "nu"
            and shape != "C"
            and not particle
        ):
            return True
        if short and low != "dr" and dotted and kind != "n" and not words.caseless[k]:
            return True  # "History of MS. Findings"
        words_too = ("doctor", "doctors", "miss", "judge", "rev", "ms", "mw", "sir")
        return shape == "L" and low in words_too and kind != "n"

    def _after_label(self, i: int) -> None:
        words = self.words
        k = i + 1
        if k >= words.n or not _AFTER_LABEL.match(words.gap(k)):
            return
        for _ in range(4):
            if k < words.n and words.low[k] in w.TITLES and _AFTER_TITLE.match(words.gap(k + 1)):
                k += 1
            if k >= words.n:
                return
            j = self._take(k, "label")
            if (
                j <= k
                and words.shapes[k] == "U"
                and 2 <= len(words.low[k]) <= 3
                and words.kinds[k] == "u"
                and words.low[k] not in w.SHORT_FORMS
            ):
                j = k + 1
            if j <= k:
                return
            if self._is_heading(j - 1) or (
                all(words.kinds[m] == "w" for m in range(k, j)) and not words.caseless[k]
            ):
                return
            self._hit(k, j)
            if j < words.n and words.low[j] in w.DEGREES:
                j += 1
            if j >= words.n or not _AND.match(words.gap(j)):
                return
            k = j

    def _after_verb(self, i: int) -> None:
        words = self.words
        mode, k = self._verb_mode(i), i + 1
        if not mode:
            return
        kin = words.low[i] in w.KIN or (
            words.low[i] in w.FOREIGN_KIN and words.languages[i] == "f" and words.gap(k) == " "
        )
        while k < min(words.n, i + 4) and words.low[k] in w.ROLES:
            if not _AFTER_TITLE.match(words.gap(k + 1)) or (words.low[k] == "is" and not kin):
                break
            k += 1
        if k >= words.n or self.taken[k]:
            return
        for _ in range(3):
            j = self._take(k, mode)
            if j <= k and words.low[i] == "by" and self._is_initials(k):
                j = k + 1
            born = words.low[i] in ("maiden", "nee")
            if (
                j <= k
                and (kin or born)
                and words.is_titled(k)
                and words.low[k] not in w.STOP | w.NO_NAME
            ):
                j = k + 1
            if j <= k or not self._is_object(k, j, mode):
                return
            self._hit(k, j, sure="n" in words.kinds[k:j] or mode == "strong")
            if j < words.n and words.low[j] in w.DEGREES and words.shapes[j] == "U":
                j += 1
            if j + 1 < words.n and words.low[j] in ("and", "or", "en", "und"):
                j += 1
            elif j >= words.n or not _AND.match(words.gap(j)):
                return
            if words.begins(j) or words.shapes[j] != "C" or words.kinds[j] == "w":
                return
            k = j

    def _verb_mode(self, i: int) -> str:
        """How strongly word `i` introduces a name: ``strong``, ``medium``, or empty: not at all."""
        words = self.words
        low = words.low[i]
        if i + 1 >= words.n:
            return ""
        gap = words.gap(i + 1)
        if low == "cm" and words.gap(i).rstrip()[-1:].isdigit():
            return ""  # "5 cm (Gharbi V)"
        before = words.low[max(0, i - 3) : i]
        if low == "w":
            if gap[:1] != "/" and not (
                before and before[-1] in ("d", "s", "c") and words.gap(i) == "/"
            ):
                return ""
            gap = gap.removeprefix("/")
        verbs = {"by": w.BY_VERBS, "with": w.WITH_VERBS, "to": w.TO_VERBS}.get(low)
        if verbs is not None and verbs.isdisjoint(before):
            return ""
        if low in ("is", "am") and (
            not before or before[-1] not in ("name", "this", "i", "names", "here")
        ):
            return ""
        if not _AFTER_VERB.match(gap) or (gap[:1] == "." and low not in ("attn", "pt", "geb")):
            return ""
        small = verbs is not None or low in ("w", "is", "am")
        return "strong" if small or low in w.STRONG_VERBS else "medium"

    def _is_initials(self, k: int) -> bool:
        """Whether word `k` is somebody's two or three initials: "dictated by JS"."""
        words = self.words
        low = words.low[k]
        if words.shapes[k] != "U" or len(low) > 3 or words.caseless[k]:
            return False
        return words.kinds[k] == "u" and low not in w.SHORT_FORMS

    def _is_object(self, k: int, j: int, mode: str) -> bool:
        """Whether words `k` to `j` are a person that something was said or done to."""
        words = self.words
        if self._is_heading(j - 1):
            return False
        if self._is_eponym(k, j) and words.low[k - 1] not in w.KIN:
            return False
        kinds = words.kinds[k:j]
        if kinds == ["u"] and words.shapes[k] != "L":
            return self._likeness(words.low[k]) >= (-6 if mode == "strong" else -3)
        doubtful = words.shapes[k] == "C" and "b" in kinds and "n" not in kinds
        return not (doubtful and mode == "medium" and words.begins(k))

    def _before_degree(self, i: int) -> None:
        """ "Jane Roe, MD" and "Roe, J., RN": what stands before a degree."""
        words = self.words
        low, shape = words.low[i], words.shapes[i]
        if low == "m":
            if not (
                i + 1 < words.n
                and words.low[i + 1] == "d"
                and words.gap(i + 1) == "."
                and shape == "I"
            ):
                return
        elif shape == "L" and not (words.caseless[i] and low in ("md", "rn", "phd", "np")):
            return
        if i == 0:
            return
        gap = words.gap(i)
        if not re.match(r"[ \t]*,[ \t]*\Z|[ \t]+\Z|\.,?[ \t]*\Z", gap):
            return
        k = i
        solid = 0
        while k > 0 and i - k < 5:
            before = k - 1
            if self.taken[before]:
                return
            joint = gap if k == i else words.gap(k)
            if k < i and not (JOIN.match(joint) or (COMMA.match(joint) and solid == 1)):
                break
            if k < i and joint.startswith(".") and words.shapes[before] != "I":
                break
            if words.shapes[before] == "I" or (
                words.low[before] in w.PARTICLES and solid and words.shapes[before] != "U"
            ):
                k = before
                continue
            strange = words.kinds[before] == "u" and self._likeness(words.low[before]) > -2
            if words.shapes[before] == "L" and words.kinds[before] != "n" and not strange:
                break
            if not self._fits(before, "label", first=True) and not (
                words.shapes[before] == "C"
                and "," in gap
                and k == i
                and words.low[before] not in w.STOP
            ):
                break
            if low in w.SHORT_DEGREES and "," not in gap and words.kinds[before] in "wb" and k == i:
                break
            solid += 1
            k = before
        while k < i and words.low[k] in w.PARTICLES and words.shapes[k] == "L" and solid == 0:
            k += 1
        if solid and any(words.kinds[m] != "w" or words.shapes[m] == "I" for m in range(k, i)):
            self._hit(k, i)

    def _signatures(self) -> None:
        words = self.words
        for match in _INITIALS.finditer(words.text):
            first, second = re.split(r"\s?[/:]\s?", fold(match.group()))
            if first not in _NO_INITIALS and second not in w.SHORT_FORMS | _NO_INITIALS:
                self.hits.append(Hit("NAME", *match.span()))
        for match in _SIGNED.finditer(words.text):
            i = next((k for k in range(words.n) if words.starts[k] >= match.end()), words.n)
            if i < words.n and words.starts[i] == match.end() and (words.shapes[i] in "CIU"):
                j = self._take(i, "label")
                if self._is_heading(j - 1) or self._is_eponym(i, max(j, i + 1)):
                    continue
                if j > i and not all(kind == "w" for kind in words.kinds[i:j]):
                    self._hit(i, j)
