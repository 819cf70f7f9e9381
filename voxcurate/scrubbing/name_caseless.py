"""Names where capitals tell nothing: in capitals among capitals, in small letters among small."""

import re
from itertools import pairwise

from voxcurate.scrubbing import name_words as w
from voxcurate.scrubbing.medical import STRONG_NOUN_ANY_CASE
from voxcurate.scrubbing.name_judging import JudgedNames
from voxcurate.scrubbing.name_spans import COMMA, JOIN

_AGED = re.compile(r",?\s(?:is\s)?an?\s\d{1,3}\b", re.IGNORECASE)


class CaselessNames(JudgedNames):
    """Finds names of which the lists know enough."""

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
        if low in self.lexicon.eponyms or low in self.lexicon.places or low in w.TITLES:
            return False
        beside = [*words.low[max(0, i - 1) : i], low, *words.low[i + 1 : i + 2]]
        if any(f"{a}-{b}" in self.lexicon.eponyms for a, b in pairwise(beside)):
            return False  # "LUND MACKAY"
        if words.languages[i] != "e" and not (words.caseless[i] and fame == 3):
            return False
        short = 4 if fame == 3 and (words.caseless[i] or words.shapes[i] == "L") else 5
        return len(low) >= short and STRONG_NOUN_ANY_CASE.match(words.text, words.ends[i]) is None

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
