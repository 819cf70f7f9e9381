"""Places by their words: towns of the list, landscapes ("Alder Creek"), houses with a name.

A house of care or work is a head word ("General", "Pathology", "Home Care") with a name before it:
a word that is strange, a surname, a town or a landscape, not one that any house may have.
"""

import re
from collections.abc import Iterator

from voxcurate.scrubbing import name_words as w
from voxcurate.scrubbing.care import GENERIC
from voxcurate.scrubbing.hits import Hit
from voxcurate.scrubbing.medical import CLINICAL, STRONG_NOUN
from voxcurate.scrubbing.name_reading import Words
from voxcurate.scrubbing.vocabulary import Lexicon, lexicon
from voxcurate.scrubbing.wordlist import word_set

# a capitalised word before one of these is a place within a sentence
_LANDSCAPE = word_set("""
    creek hill hills ridge valley springs falls point bay beach grove heights bend crossing
    junction shoal shoals meadow meadows lake lakes rivers oaks pines woods glen brook haven
    harbor harbour cove island islands mountain prairie dale mills landing ferry forest park
    gardens estate estates village township county city plains canyon mesa vista terrace shores
    rapids summit crossroads reef moor moors heath marsh fen mere loch lough firth tarn weir
    wharf quay docks common green trace pointe run commons trail trails fork forks bayside
    lakeside riverside ranch acres hollow gulch bluff bluffs cliff cliffs lagoon inlet strait
    straits peninsula
""")
_LEADING = word_set("""
    north south east west upper lower new old great little mount mt fort port lake san santa
    saint st los las el la le glen royal castle
""")
# a house, with a name before it; strong: any name; weak: one that is no ordinary word
_STRONG_HEADS = word_set("""
    campus lodge manor memorial shelter prison school academy college church parish netcare
    doctors primary hs infosolutions travel oxygen transport mobility supplies prosthetics
    orthotics hearing children women veterans homecare hospital hospitals infirmary clinic
    clinics polyclinic hospice pharmacy healthcare ospedale hopital krankenhaus klinikum klinik
    ziekenhuis
""")
_WEAK_HEADS = word_set("""
    medical surgery general memorial regional royal methodist baptist presbyterian lutheran
    adventist deaconess mercy sinai health pathology teleradiology radiology imaging infusion
    ent orthopedics orthopaedics orthopedic digestive endoscopy dental dentistry vision optical
    optometry physio physiotherapy chiropractic pulm cardiology oncology dermatology urology
    pediatrics paediatrics obgyn gynecology neurology rehab rehabilitation dialysis nephrology
    spine sport sports wellness laboratories labs lab diagnostics ambulance ems hospices
    homecare care practice partners associates group network alliance foundation trust institute
    school schools academy college university church parish temple mosque synagogue elementary
    middle high factory farm farms hotel inn motel shelter prison jail correctional insurance
    bank motors logistics industries systems solutions technologies consulting construction
    enterprises holdings ltd llc inc gmbh corp pty plc sons brothers bros medicine physicians
    surgeons hematology haematology maternity birthing fertility allergy gastroenterology
    casualty opd service services agency program programme pain transit reporting council
    endocrinology rheumatology podiatry therapy therapies nursing rest house lodge manor court
    hall centre center ctr unit ward wing pavilion suites supermarket brewery university mri ct
    pet ultrasound xray detox recovery behavioral psychiatry counseling
""")
_FIRMS = frozenset(["sons", "bros", "brothers", "partners", "associates"])
_TAIL = word_set("""
    er ed icu ward care center centre ctr campus clinic hospital mri ct imaging sport sports
    sons home house
""")
_OF_HOUSES = word_set("family medical surgery center clinic hospital oncology radiology head neck")
_SOMEWHERE = frozenset(["at", "from", "to", "in", "near", "via", "outside"])
_LINKS = frozenset(["of", "and", "the", "for", "de", "la", "del", "du", "am", "on"])
_TO_PLACES = word_set("""
    at from to via in inside near of by dc discharged xfer tx transferred trf sent outside into
    through bei aus nach
""")
_HOME_BEFORE = word_set(
    "from in near to of at lives live living around outside visiting nach aus in te uit desde fran"
)
_HOMES = frozenset(["lives", "living", "live", "from", "near", "to"])
LANGUAGES = word_set("""
    english french german spanish polish dutch turkish italian portuguese russian arabic
    mandarin cantonese hindi urdu punjabi bengali tamil somali vietnamese korean japanese greek
    hebrew swedish danish norwegian finnish hungarian czech romanian ukrainian farsi dari pashto
    tagalog deutsch englisch franzosisch spanisch polnisch turkisch russisch arabisch kroatisch
    serbisch albanisch ukrainisch nederlands duits turks marokkaans italiano inglese tedesco
    francese spagnolo espanol francais anglais allemand espagnol italien portugais arabe romeno
    rumano rumanisch gaelic welsh irish afrikaans zulu xhosa malayalam telugu kannada gujarati
    marathi
""")
PROVINCES = word_set("""
    ontario quebec manitoba saskatchewan nunavut yukon newfoundland labrador queensland tasmania
    england scotland wales ireland bavaria saxony catalonia andalusia lombardy tuscany sicily
    sardinia brittany provence normandy punjab gujarat kerala karnataka maharashtra bihar odisha
    rajasthan telangana ulster munster leinster connacht cornwall tyrol carinthia zeeland
""")  # as countries and states, they stay
_GAP = re.compile(r"[ ]{1,2}\Z|[ ]&[ ]\Z|\.[ ]\Z|-\Z")
_CELL = re.compile(r"(?:\A|[\n|:;(\x01,@]|[ ]{2}|[-–][ ])[ \t]*\Z")
_CELL_END = re.compile(r"[ \t]*(?:\Z|[\n|;),(\x01/.]|[ ]{2}|[-–]|\d)")
_STATE = re.compile(
    r",?[ ](?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[AEINOST]|N[CDEHJMVY]|O[HKR]|"
    r"RI|S[CD]|TN|TX|UT|V[AT]|W[AIVY]|NSW|VIC|QLD|TAS|ACT|ON|BC|AB|QC|NS|NB|"
    r"(?:MD|PA)(?=[ ]\d{5}))(?!\w)"
)  # fmt: skip
_NEVER = w.STOP | w.TITLES | w.DEGREES | w.LABELS


def find_places(words: Words) -> Iterator[Hit]:
    """Towns, landscapes and named houses; all doubtful, they may overlap."""
    yield from _Places(words).run()


class _Places:
    def __init__(self, words: Words) -> None:
        self.words = words
        self.lexicon: Lexicon = lexicon()

    def run(self) -> Iterator[Hit]:
        words = self.words
        for i in range(words.n):
            low, shape = words.low[i], words.shapes[i]
            if low in _WEAK_HEADS or low in _STRONG_HEADS:
                yield from self._house(i)
            if low in _LANDSCAPE and shape != "L":
                yield from self._landscape(i)
            if shape == "C" and i > 0 and words.low[i - 1] in _SOMEWHERE:
                yield from self._somewhere(i)
            if shape != "L" or (i > 0 and words.low[i - 1] in _HOME_BEFORE):
                yield from self._town(i)

    def _house(self, head: int) -> Iterator[Hit]:
        words = self.words
        shape = words.shapes[head]
        small = shape == "L"
        i, linked = head, False
        while (
            i > 0
            and head - i < 5
            and self._joined(i)
            and (words.low[i - 1] not in _NEVER or words.low[i - 1] in _OF_HOUSES)
        ):
            before = i - 1
            if words.shapes[before] == "L" and not small:
                if words.low[before] not in _LINKS:
                    break
                linked = True
            elif (small and (words.shapes[before] != "L" or words.low[before] in _LINKS)) or (
                small and words.kinds[before] == "w" and not self._is_saint(before)
            ):
                break
            i = before
        first = i
        while i < head and (words.low[i] in _LINKS or (words.low[i] in GENERIC and linked)):
            i += 1
        own = [k for k in range(i, head) if self._is_own(k)]
        if not own or not (self._is_house(i, head, own) or self._is_house(first, head, own)):
            return
        end = head
        while (
            end + 1 < words.n
            and words.gap(end + 1) == " "
            and words.low[end + 1] in _TAIL | _WEAK_HEADS
        ):
            if words.shapes[end + 1] != shape and words.shapes[end + 1] != "U":
                break
            end += 1
        stop = words.ends[end]
        if words.text[stop : stop + 2] in ("'s", "’s"):
            stop += 2  # "Children's"
        yield Hit("INSTITUTION", words.starts[i], stop, False)

    def _joined(self, i: int) -> bool:
        """Whether word `i` goes on the words before it: "St. Mary", not the next sentence."""
        gap = self.words.gap(i)
        short = i > 0 and (self._is_saint(i - 1) or self.words.shapes[i - 1] == "I")
        return _GAP.match(gap) is not None and (gap != ". " or short)

    def _is_own(self, k: int) -> bool:
        low = self.words.low[k]
        return (
            low not in GENERIC and low not in _LINKS and low not in w.SHORT_FORMS and len(low) > 2
        )

    def _is_house(self, i: int, head: int, own: list[int]) -> bool:
        words = self.words
        eponyms = [k for k in own if words.low[k] in self.lexicon.eponyms]
        if len(eponyms) == len(own) and not self._at_place(i):
            return False
        named = [
            k
            for k in own
            if words.kinds[k] in "nu"
            or words.low[k] in _LANDSCAPE
            or self._is_camel(k)
            or self._is_listed(words.low[k])
            or self._is_odd(words.low[k])
        ]
        if words.shapes[head] == "L":
            told = self._at_place(i) or (words.low[head] in _FIRMS and self._in_cell(i, head))
            return bool(named) and told
        strong = words.low[head] in _STRONG_HEADS and not words.caseless[head]
        if not named and not strong and not any(words.kinds[k] == "b" for k in own):
            return False
        if self._at_place(i):
            return True
        return bool(named or strong) and self._in_cell(i, head)

    def _at_place(self, i: int) -> bool:
        """Whether what stands before word `i` speaks of a place."""
        words = self.words
        if i == 0:
            return False
        if words.low[i - 1] in _TO_PLACES and words.gap(i) == " ":
            return True
        if words.text[max(0, words.starts[i] - 4) : words.starts[i]].lower() == "d/c ":
            return True
        if words.low[i - 1] == "the" and i > 1 and words.low[i - 2] in _TO_PLACES:
            return True
        return words.gap(i).rstrip()[-1:] in ("@", "(", ">", "→") and words.gap(i).strip() != ""

    def _in_cell(self, i: int, head: int) -> bool:
        words = self.words
        before = words.text[max(0, words.starts[i] - 6) : words.starts[i]]
        return _CELL.search(before) is not None and (
            _CELL_END.match(words.text, words.ends[head]) is not None
            or words.low[min(head + 1, words.n - 1)] in _TAIL
            or (words.caseless[head] and words.low[min(head + 1, words.n - 1)] in w.LABELS)
        )

    def _is_saint(self, k: int) -> bool:
        words = self.words
        return words.low[k] in ("st", "saint", "mt", "mount", "our")

    def _is_camel(self, k: int) -> bool:
        raw = self.words.text[self.words.starts[k] : self.words.ends[k]]
        return self.words.shapes[k] == "M" and raw[0].isupper() and len(raw) > 5

    def _is_odd(self, low: str) -> bool:
        """Whether a word is none of those that reports have: "Quayside", "Dogwood"."""
        return len(low) > 3 and self.lexicon.foreign_kind(low) != "w" and not CLINICAL.search(low)

    def _is_listed(self, low: str) -> bool:
        group = self.lexicon.long["towns"].group(low)
        return low in self.lexicon.places or (group is not None and group < 3)

    def _landscape(self, i: int) -> Iterator[Hit]:
        """ "Alder Creek", "Upper Wattle Bend": capitals within a sentence, or beside a state."""
        words = self.words
        if words.shapes[i] != "C" or words.caseless[i] or i == 0 or words.gap(i) != " ":
            return
        k = i
        while k > 0 and i - k < 3 and words.gap(k) == " " and words.shapes[k - 1] == "C":
            if words.low[k - 1] in _NEVER or words.low[k - 1] in GENERIC - _LEADING:
                break
            k -= 1
        if k == i or STRONG_NOUN.match(words.text, words.ends[i]):
            return
        if any(words.low[m] in self.lexicon.eponyms for m in range(k, i)) and not self._at_place(k):
            return
        if words.begins(k) and not (_STATE.match(words.text, words.ends[i]) or self._in_cell(k, i)):
            return
        if words.languages[i] != "e":
            return
        end = i
        while end + 1 < words.n and words.gap(end + 1) == " " and words.shapes[end + 1] == "C":
            if words.kinds[end + 1] not in "nu" and not self._is_odd(words.low[end + 1]):
                break
            end += 1
        yield Hit("ADDRESS", words.starts[k], self._with_state(words.ends[end]), False)

    def _with_state(self, end: int) -> int:
        state = _STATE.match(self.words.text, end)
        if state and state.group()[0] != "," and self.words.text[end - 2 : end].isupper():
            return end  # "NORMAL OR STABLE"
        return state.end() if state else end

    def _somewhere(self, i: int) -> Iterator[Hit]:
        """ "works at Tesco", "now at Cox South": a capital after "at" that reports do not have."""
        words = self.words
        if words.caseless[i] or words.languages[i] != "e" or words.gap(i) != " ":
            return
        if words.low[i] in LANGUAGES:
            return
        j = i
        odd = False
        while (
            j < words.n
            and j - i < 4
            and (j == i or words.gap(j) == " ")
            and words.shapes[j] == "C"
            and words.low[j] not in _NEVER
        ):
            low = words.low[j]
            odd = odd or words.kinds[j] in "nub" or self._is_odd(low) or low in _LANDSCAPE
            j += 1
        if j == i or not odd or STRONG_NOUN.match(words.text, words.ends[j - 1]):
            return
        eponym = any(part in self.lexicon.eponyms for part in words.low[i].split("-"))
        at = words.low[i - 1] in ("at", "from")
        if eponym and not (at and self._is_listed(words.low[i])):
            return
        yield Hit("INSTITUTION", words.starts[i], words.ends[j - 1], False)

    def _town(self, i: int) -> Iterator[Hit]:
        """A town of the list where a place is spoken of."""
        words = self.words
        towns = self.lexicon.long["towns"]
        for n in (3, 2, 1):
            j = i + n
            if j > words.n or any(words.gap(k) not in (" ", "-", ". ") for k in range(i + 1, j)):
                continue
            name = words.text[words.starts[i] : words.ends[j - 1]]
            low = " ".join(words.low[i:j]) if n > 1 or "-" not in name else words.low[i]
            group = towns.group(low)
            if group is None and low in self.lexicon.places:
                group = 0
            if group is None or (n == 1 and low in w.SHORT_FORMS | w.STOP | LANGUAGES):
                continue
            if self._is_place(i, j, group, n):
                yield Hit("ADDRESS", words.starts[i], self._with_state(words.ends[j - 1]), False)
                return

    def _is_place(self, i: int, j: int, group: int, n: int) -> bool:
        words = self.words
        small = words.shapes[i] == "L"
        before = words.low[i - 1] if i > 0 and words.gap(i) == " " else ""
        if STRONG_NOUN.match(words.text, words.ends[j - 1]):
            return False
        if small:
            if n == 1 and (
                group > 1 or len(words.low[i]) < 4 or words.low[i] in self.lexicon.words
            ):
                return False
            if n > 1 and all(words.kinds[k] == "w" for k in range(i, j)) and group > 2:
                return False
            if words.languages[i] != "e":
                return False
            return before in _HOME_BEFORE and (n > 1 or before != "to" or group == 0)
        if any(words.shapes[k] == "L" for k in range(i, j)):
            return False
        state = _STATE.match(words.text, words.ends[j - 1])
        loud = words.shapes[j - 1] == "U" and state is not None and state.group()[0] != ","
        if state and not words.caseless[i] and not loud:
            return True
        if n > 1 and group < 3 and not words.caseless[i] and not words.begins(i):
            return True
        if words.low[i].count("-") > 1 and group < 3:
            return True
        listed = group < 3 and not words.caseless[i] and len(words.low[i]) > 3
        if listed and words.text[max(0, words.starts[i] - 3) : words.starts[i]] == "\x01, ":
            return True
        if group > 2 and words.caseless[i]:
            return False
        near = before in _HOMES or (before == "in" and group == 0)
        if n == 1 and words.low[i] in self.lexicon.eponyms and not near:
            return False
        likely = group < 3 or (before in _HOMES and words.kinds[i] == "b")
        if words.caseless[i] and (group > 2 or words.kinds[i] == "b" or len(words.low[i]) < 5):
            return False
        return likely and before in _HOME_BEFORE
