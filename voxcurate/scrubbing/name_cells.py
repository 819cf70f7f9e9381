"""Names by where they stand: alone in a cell of a print, at a letter's end, with an initial.

A cell is what a line end, a bar, a colon, a bracket, a dash or a wide gap encloses. Alone in one,
less has to speak for a name than within a sentence.
"""

import re

from voxcurate.scrubbing import name_words as w
from voxcurate.scrubbing.medical import CLINICAL
from voxcurate.scrubbing.name_cues import IntroducedNames
from voxcurate.scrubbing.wordlist import word_set

_CELL_BEGINS = re.compile(
    r"(?:\A|[\n|:;([\x01#>=~\"“+@]|\b[a-z\d]{1,2}\)|[ ]{2}|\t|[-–—]{2}|#\d+|\d\.|[ ][-–—]|/)"
    r"[ \t*]*\Z"
)
_CELL_ENDS = re.compile(
    r"[ ]?,[ ]*(?:[*°\d\x01(]|geb|born|n[ée]e?\b|DOB|[A-Z]{2,4}\b)|"
    r"[ \t]*(?:\Z|[\n|;([\x01)\]~\"”+]|[ ]&|[ ]{2}|\t|[-–—]{2}|[ ][-–—][ ]|[,.]?[ ]?\d|/"
    r"|,?[ ](?:DOB|MRN|M|F|MD|RN|Age|Sex|S[pt]R|ST\d|CT\d|FY\d|SHO|Cons\w*|Reg\w*)\b)"
)
_PAIR = re.compile(r"[ ]?,[ ]{0,2}\Z")
_LISTS = word_set("""
    present attendance attendees attending apologies participants panel members
    teilnehmer teilnehmende anwesend anwesende entschuldigt aanwezig afwezig presents excuses
    presentes asistentes ausentes presenti assenti partecipanti verhinderd deelnemers
""")
_ALONE_IN_LIST = re.compile(r"[ ]*(?:[,;/&\n]|\.(?:\s|\Z)|\Z)")
_LETTER = re.compile(r"[ \t]*[,!]?[ \t]*(?:\n|\Z)")
_BEFORE_PAIR = word_set(
    "pat patient pt re name to from by dr mr mrs ms for sponsor guarantor attn and with"
)
_GREETS = re.compile(r",[ ][a-z]")
_SPACE = re.compile(r"[ ]\Z")
_AFTER_SURNAME = re.compile(r"\.?[ ]*(?:\Z|[\n|;,)(/\x01~\"”+]|[ ]{2}|[ ][-–—])")


class CellNames(IntroducedNames):
    """Finds names that only their place tells."""

    def find_in_cells(self) -> None:
        """Take "Surname, Given", "A. Surname" and "Given A." that fill a cell, and sign-offs."""
        words = self.words
        for i in range(words.n):
            if words.low[i] in _LISTS and words.gap(i + 1).strip() in (":", "-"):
                self._people(i + 1)
            if i == words.n - 1 and words.begins(i) and not self.taken[i]:
                self._alone(i)  # "Please call. Tamsin"
            if words.shapes[i] == "L" or not self._begins_cell(i, pair=True):
                continue
            if self._pair(i) or self.taken[i] or not self._begins_cell(i):
                continue
            if words.shapes[i] == "I":
                self._initialled(i)
            elif words.shapes[i] in "CU":
                self._surname_or_alone(i)

    def _people(self, i: int) -> None:
        """ "In attendance: Karantzas, Ng, de Silva; apologies Hope": names up to the line's end."""
        words = self.words
        k = i
        while k < words.n and (k == i or "\n" not in words.gap(k)) and k - i < 60:
            low, shape = words.low[k], words.shapes[k]
            titled = shape == "C" or (shape == "I" and k + 1 < words.n)
            plain = low not in w.STOP and low not in w.NO_NAME and low not in w.TITLES
            ordinary = words.kinds[k] == "w" and not self.lexicon.is_unlike_reports(low)
            if "(" in words.gap(k) and ")" in words.text[words.ends[k] : words.ends[k] + 30]:
                close = words.text.index(")", words.ends[k])
                while k < words.n and words.starts[k] < close:
                    k += 1
                continue  # a post: "Lake (Chair)"
            if titled and plain and (shape == "I" or not ordinary) and not self.taken[k]:
                if shape == "C" or words.shapes[k + 1] == "C":
                    self._hit(k, k + 1, sure=False)
            elif shape == "U" and 1 < len(low) < 4 and not self.taken[k]:
                if _ALONE_IN_LIST.match(words.text, words.ends[k]) and self._are_initials(k):
                    self._hit(k, k + 1, sure=False)
            elif ". " in words.gap(k) and shape == "C" and k > i and words.shapes[k - 1] != "I":
                return
            k += 1

    def _are_initials(self, k: int) -> bool:
        low = self.words.low[k]
        plain = (low == "ng" or low not in w.SHORT_FORMS) and low not in w.DEGREES | w.STOP
        return plain and self.words.gap(k).strip() in (":", ",", ";", "/", "&")

    def _surname_or_alone(self, i: int) -> None:
        if not self._surname_initial(i) and not self._capital_surname(i):
            self._alone(i)

    def _begins_cell(self, i: int, *, pair: bool = False) -> bool:
        words = self.words
        before = words.text[max(0, words.starts[i] - 12) : words.starts[i]]
        if words.starts[i] > 12:
            before = "." + before
        if _CELL_BEGINS.search(before):
            return True
        told = i > 0 and words.low[i - 1] in _BEFORE_PAIR
        return told and (pair or words.low[i - 1] in ("pat", "pt", "patient"))

    def _ends_cell(self, j: int) -> bool:
        return _CELL_ENDS.match(self.words.text, self.words.ends[j - 1]) is not None

    def _pair(self, i: int) -> bool:
        """ "NORTH,WES", "Idris, H.", "VON BULOW, LEOPOLD"."""
        words = self.words
        comma = i + 1
        while comma < words.n and comma - i < 3 and _SPACE.match(words.gap(comma)):
            comma += 1
        if comma >= words.n or not _PAIR.match(words.gap(comma)):
            return False
        j = comma + 1
        while (
            j < words.n and j - comma < 3 and _SPACE.match(words.gap(j)) and not self._ends_cell(j)
        ):
            j += 1
        told = i > 0 and words.low[i - 1] in ("patient", "pt", "name")
        if j > words.n or all(self.taken[i:j]) or not (told or self._ends_cell(j)):
            return False
        if not self._ends_cell(j):
            j = comma + 1
        if all(words.shapes[k] == "I" for k in range(i, j)):
            return False  # "26/F, P1L1"
        if self._speaks_for(range(i, comma)) + self._speaks_for(range(comma, j)) < 1:
            return False
        sure = "n" in words.kinds[i:j]
        if not any(self.taken[i:j]):
            self._hit(i, j, sure=sure)
        for k in range(i, j):
            if not self.taken[k]:
                self._hit(k, k + 1, sure=sure)
        return True

    def _speaks_for(self, span: range) -> float:
        """How much the words of one side of a comma look like a surname or given names."""
        words = self.words
        score = 0.0
        for k in span:
            low, kind, shape = words.low[k], words.kinds[k], words.shapes[k]
            if kind == "u" and self.lexicon.fame(low) > 1:
                kind = "n"
            if shape in "LM" and (low not in w.PARTICLES or len(span) == 1):
                return -9
            if shape == "I":
                score += 0.5
            elif low in w.PARTICLES and len(span) > 1:
                continue
            elif low in w.STOP or low in w.SHORT_FORMS or low in w.NO_NAME or low in w.DEGREES:
                return -9
            elif kind == "n":
                score = max(score, 0.5 if low in self.lexicon.eponyms else 2)
            elif kind == "u":
                score = max(score, 1.0 if self._is_sayable(low) else -1)
            elif kind == "b":
                score = max(score, 1.0)
            else:
                score -= 9 if CLINICAL.search(low) else 1
        return score

    def _initialled(self, i: int) -> None:
        """ "E. Thorvaldsen", "M Pettigrew-Das": an initial and a surname that fill a cell."""
        words = self.words
        k = i + 1
        while k < words.n and words.shapes[k] == "I" and re.match(r"\.?[ -]?\Z", words.gap(k)):
            k += 1
        if k >= words.n or self.taken[k] or not re.match(r"\.?[ ]?\Z|\.-\Z", words.gap(k)):
            return
        if not (words.shapes[k] == "C" or (words.shapes[k] == "U" and words.kinds[k] in "nu")):
            return
        low, kind = words.low[k], words.kinds[k]
        dotted = words.gap(i + 1)[:1] == "." and self.lexicon.is_unlike_reports(low)
        if (
            (kind == "w" and not dotted)
            or low in w.STOP
            or low in w.SHORT_FORMS
            or low in w.NO_NAME
        ):
            return
        if self._is_eponym(i, k + 1) or not self._ends_cell(k + 1):
            return
        if words.languages[i] != "e" and kind == "u" and not self._is_like(low):
            return
        self._hit(i, k + 1, sure=kind == "n")

    def _surname_initial(self, i: int) -> bool:
        """ "Tyra G", "Strand-Olsen K": a name and an initial that fill a cell."""
        words = self.words
        k = i + 1
        if (
            k >= words.n
            or words.shapes[k] != "I"
            or not _SPACE.match(words.gap(k))
            or self.taken[k]
        ):
            return False
        low, kind = words.low[i], words.kinds[i]
        if kind not in "nu" or low in self.lexicon.eponyms or low in w.SHORT_FORMS:
            return False
        if kind == "u" and self._likeness(low) < 0:
            return False
        if not _AFTER_SURNAME.match(words.text, words.ends[k]):
            return False
        self._hit(i, k + 1, sure=kind == "n")
        return True

    def _capital_surname(self, i: int) -> bool:
        """ "Pearl STONE": a given name and a surname in capitals that fill a cell."""
        words = self.words
        k = i + 1
        if words.caseless[i] or words.shapes[i] != "C" or k >= words.n or words.shapes[k] != "U":
            return False
        low = words.low[k]
        if not _SPACE.match(words.gap(k)) or low in w.SHORT_FORMS or low in w.STOP or len(low) < 3:
            return False
        if low in w.DEGREES or words.kinds[i] == "w" or words.kinds[k] == "w":
            return False
        if not self._ends_cell(k + 1) and words.gap(k + 1)[:1] != ",":
            return False
        self._hit(i, k + 1, sure="n" in (words.kinds[i], words.kinds[k]))
        return True

    def _alone(self, i: int) -> None:
        """A given name alone in a line, as letters begin ("Mark,") and end."""
        words = self.words
        low, kind, shape = words.low[i], words.kinds[i], words.shapes[i]
        if shape != "C" or low in w.NO_NAME or low in w.STOP or low in self.lexicon.eponyms:
            return
        gap = words.gap(i)
        if i > 0 and (":" in gap or gap == " - ") and kind == "n" and self.lexicon.fame(low) > 0:
            if self._ends_cell(i + 1) and not self._is_eponym(i, i + 1):
                self._hit(i, i + 1, sure=False)
            return
        if i > 0 and "\n" not in gap and "/" not in gap:
            return
        greets = kind in "nb" and _GREETS.match(words.text, words.ends[i]) is not None
        if not greets and _LETTER.match(words.text, words.ends[i]) is None:
            return
        if words.languages[i] == "g":
            return
        known = self.lexicon.fame(low) == 3 and (low in self.lexicon.given or self._is_given(low))
        if kind == "n" or (kind == "b" and known):
            self._hit(i, i + 1, sure=False)

    def _is_sayable(self, low: str) -> bool:
        """Whether an unknown word could be somebody's name: "NLST" could not."""
        return self._likeness(low) > -4 and re.search(r"[aeiouy]", low) is not None

    def _is_like(self, low: str) -> bool:
        return self.lexicon.fame(low) > 0 or self._likeness(low) > 0

    def _is_given(self, low: str) -> bool:
        return self.lexicon.long["given"].group(low) == 0
