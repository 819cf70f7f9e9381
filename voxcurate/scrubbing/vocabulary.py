"""Which words are names, which are words, which are both, and which look like a name."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache

from voxcurate.config import read_yaml, shipped

_LETTERS = str.maketrans("øłđıħŧ", "oldiht")
_SUFFIXES = (
    ("s", ("",)), ("es", ("", "is")), ("ies", ("y",)), ("ed", ("", "e")), ("ing", ("", "e")),
    ("ly", ("",)), ("er", ("", "e")), ("ers", ("", "e")), ("ied", ("y",)), ("ness", ("",)),
    ("ation", ("e", "")), ("al", ("",)),
)  # fmt: skip
_CLINICAL = re.compile(
    r"(?:itis|oma|omas|osis|oses|emia|aemia|ectomy|ectomies|ostomy|otomy|ectas[ie]s|graphy|gram|grams|scop[yi]e?s?|"
    r"scopic|algia|uria|pathy|pathic|plasty|megaly|penia|plegia|paresis|rrhage|rrhagic|rrhea|lysis|lytic|trophy|"
    r"trophic|genic|pril|olol|statin|mycin|micin|cillin|azole|[mz]umab|tinib|sartan|dipine|tidine|prazole|cycline|"
    r"oxacin|azepam|parin|xaban|gliptin|gliflozin|setron|triptan|barbital|platin|taxel|rubicin|ation|ations|itic|"
    r"otic|osed|tomy|ically|ability|ization|isation|eous|iform|aceous|ness|ment|ments|tion|tions|sion|sions|ism|ology|"
    r"ological|opic|metry|heid|keit|ungen|ischen?|scher|isch)$"
)

# Names that belong to anatomy, diseases, operations, scores and devices; kept where a medical noun
# follows, and wherever nothing else says that somebody is meant.
_EPONYMS = """
achilles addison adson alzheimer apgar asherman ashworth babinski baker balthazar bankart barrett bartholin barthel
bartonella becker behcet bell berry billroth binet bismuth blalock blumgart blumer bochdalek boerhaave bosniak bouchard bouveret
bowman braden brock brodie broca broselow bruce brudzinski budd buerger burkitt calot calve campylobacter cantlie carnett caroli castleman
chadwick chance charcot chassaignac chiari chopart chvostek clark cloquet cobb colles conn cooper cope corti
couinaud cowper crawford creutzfeldt crohn cullen cushing dandy danlos debakey denonvilliers denver dercum descemet
devic diamond dieulafoy doppler douglas down dressler duchenne dukes dupuytren ebstein ehlers eisenmenger ellison
erb evans ewing fabry fallot fanconi felty fisher fitz fleischner foley fogarty fontan fontaine forestier forrest fournier fowler fox frankel
freiberg french friedreich fuhrman galeazzi galen gamna gandy garre gartner gaucher gerdy gerota gilbert glasgow
gleason glenn glisson gorlin goodpasture gordon graves graf grawitz greenfield grey guillain gustilo hadju haglund hageman hagl hartmann harris
hashimoto haversian hawkins hegar heinz heister henle henoch herring heschl hesselbach heubner hickman hill hippel hirschsprung
hodgkin hoffa hoffmann homan homans horner hounsfield howell huntington hunter hurler hutch hutchinson jackson jacob jefferson johnson jones kaposi
karnofsky kartagener kasai kasabach katz kawasaki kegel kellgren kerley kernig kernohan kienbock killip killian kimura klatskin klippel klinefelter kocher
kohler korotkoff kristeller krukenberg kruskal kupffer ladd langerhans langer larrey lauge lawrence legg leigh lemierre leriche lewy lhermitte lindau lisfranc
littre lou gehrig ludwig luschka lynch maddrey maisonneuve mallory malpighi marfan marshall martin mayo mcburney mccune mcmurray meckel
meigs meniere merkel merritt mikulicz miller mirizzi modic monro monteggia moore morel morgagni morison morquio morrison morton mullerian murphy mustard
neer nissen noonan norwood osgood osler paget pancoast parinaud park parkinson parks perthes peutz peyer peyronie pfannenstiel phalen
phrygian pierre poland poiseuille poupart pott potts poupart prader prinzmetal pringle purkinje quincke ramsay randall ranson rastelli rathke raynaud reed reid reinke
retzius reye richter riedel rinne robin rockall rokitansky rolando romberg rosch roseola rosenmuller rosenthal roux rovsing sachs salter santorini sappey sarcoid
schatzki scheuermann schiller schilling schmorl schober schwann seldinger sengstaken sertoli sever sezary shaken sheehan simmonds sims sister sjogren
skene sloan smith snellen spetzler spigelian spitz spurling stanford starling steinert stener stensen stevens still stokes strumpell sturge
sudeck swan ganz swyer sylvian sylvius takayasu takotsubo tarlov taussig tay thomas thompson thomsen thornwaldt tietze tinel todani
toldt torres trendelenburg treitz trousseau turcot turner valsalva vater vernet vincent virchow vogt waldenstrom waldeyer wallenberg wallace
warthin waterhouse weber wegener weiss wells wernicke westermark wharton whipple whitaker wilkie williams willis wilms wilson winslow
winsted wirsung wolff wolffian woringer zenker zollinger gissane boehler bohler hitchcock judkins amplatz simmons cobra tenckhoff shiley yankauer kelly kocher robson
jackson-pratt jp blakemore minnesota levin salem dobhoff bair hugger broviac groshong port quinton hemovac penrose malecot pezzer
lugol ringer bowen buck thudichum trelat tourette whitmore wright ziehl ziegler gram giemsa papanicolaou nottingham bloom richardson scarff elston
nancy montreal vienna paris milan rome sydney tokyo atlanta berlin amsterdam baltimore boston bethesda marburg lyme norwalk
coombs rh kell duffy kidd lewis bethesda pap ashman lown ganong levine james bachmann kent mahaim ebstein uhl lenegre lev brugada
"""
EPONYMS = frozenset(_EPONYMS.split())
MEDICAL_NOUN = re.compile(
    r"(?:['’]?s)?(?:[\s-]+(?:and|[-–])?\s*\w+)?[\s-]+(?:disease|syndromes?|lymphoma|procedure|operation|resection|"
    r"duct|pouch|fascia|space|node|nodule|nodes|score|class|grade|stage|criteria|segments?|classification|tumou?r|"
    r"sarcoma|hernia|diverticulum|ligament|line|lines|lesion|fracture|ulcer|sign|cyst|esophagus|oesophagus|scale|index|"
    r"type|ring|capsule|triangle|cells?|units?|catheter|balloon|anastomosis|loop|fundoplication|stump|category|bodies|body|"
    r"canal|foramen|ampulla|matter|lobe|thyroiditis|macroglobulinemia|carcinoma|gastrectomy|pugh|criterion|nodes?|stent|"
    r"malformation|deformity|contracture|palsy|phenomenon|dystrophy|ataxia|test|maneuver|manoeuvre|reflex|position|"
    r"incision|approach|technique|tube|drain|filter|device|clamp|retractor|prosthesis|valve|graft|shunt|flap|graft|"
    r"spots?|patch|plaques?|crisis|disorder|thyroid|chorea|dementia|rule|equation|formula|stain|protocol|guidelines?|"
    r"gastroplasty|pancreaticoduodenectomy|hepatectomy|dissection|artery|vein|fissure|sulcus|gland|glands|membrane|"
    r"tuberosity|nodularity|metastasis|virus|toxin|bacillus|purpura|anemia|anaemia|sphincter|groove|recess|cartilage|"
    r"solution|lactate|scan|ct|mri|angiogram|tendon|defect|aneurysm|ray|bruit|murmur|respirations?|breathing|coma)\b",
    re.IGNORECASE,
)  # fmt: skip


def fold(text: str) -> str:
    """Lower case without accents, of exactly the same length, so that spans carry over."""
    if text.isascii():
        return text.lower()
    return "".join(_fold_char(char) for char in text)


@lru_cache(maxsize=4096)
def _fold_char(char: str) -> str:
    if char.isascii():
        return char.lower()
    plain = unicodedata.normalize("NFKD", char)[:1].lower().translate(_LETTERS)
    return plain if len(plain) == 1 else char


def _stems(word: str) -> Iterator[str]:
    for suffix, endings in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= (3 if suffix == "s" else 4):
            stem = word[: -len(suffix)]
            yield from (stem + ending for ending in endings)
    if len(word) > 6 and word.endswith(("ed", "ing")):
        stem = word[:-2] if word.endswith("ed") else word[:-3]
        if stem[-1] == stem[-2]:
            yield stem[:-1]


class Lexicon:
    """Names and words, as `configs/scrubbing` lists them.

    Args:
        given: given names, folded.
        surnames: surnames.
        words: words that are no names.
        both: names that are words too.
        places: towns.
    """

    def __init__(
        self,
        given: Iterable[str],
        surnames: Iterable[str],
        words: Iterable[str],
        both: Iterable[str],
        places: Iterable[str],
    ) -> None:
        self.given = frozenset(given)
        self.surnames = frozenset(surnames)
        self.both = frozenset(both)
        self.words = frozenset(words) - self.both
        self.places = frozenset(places)
        self._names = self.given | self.surnames
        self._scores: dict[str, float] = {}
        self._kinds: dict[str, str] = {}

    def kind(self, word: str) -> str:
        """``n`` a name only, ``b`` name and word, ``w`` a word, ``u`` not known; of a folded word.

        A hyphenated or apostrophed word is a name if a part is one and none is a word.
        """
        found = self._kinds.get(word)
        if found is None:
            if len(self._kinds) > 100_000:
                self._kinds.clear()
            found = self._kinds[word] = self._kind(word)
        return found

    def _kind(self, word: str) -> str:
        if "-" in word or "'" in word or "’" in word:
            parts = [
                p for p in re.split(r"[-'’]", word) if p not in ("s", "al", "el", "o", "d", "l", "")
            ]
            if "-" not in word and len(parts) == 1 and word[0] in "od" and len(parts[0]) > 3:
                return "n"  # O'Brien, D'Angelo
            kinds = [self.kind(part) for part in parts]
            if not kinds:
                return "w"
            if "w" in kinds or len(kinds) > 3:
                return "w"
            return "n" if "n" in kinds else ("b" if "b" in kinds and "u" not in kinds else "u")
        if word in self.both:
            return "b"
        if word in self._names:
            return "w" if word in self.words else "n"
        if len(word) < 2 or word in self.words or any(s in self.words for s in _stems(word)):
            return "w"
        if len(word) > 5 and _CLINICAL.search(word):
            return "w"
        if word.endswith("s") and word[:-1] in self._names and len(word) > 4:
            return "n"  # "Smiths"
        return "u"

    def likeness(self, word: str) -> float:
        """Log odds that the letters of an unknown word are a name's rather than a word's."""
        found = self._scores.get(word)
        if found is None:
            if len(self._scores) > 100_000:
                self._scores.clear()
            odds, unseen = self._odds
            found = self._scores[word] = sum(odds.get(gram, unseen) for gram in _grams(word))
        return found

    @property
    def _odds(self) -> tuple[dict[str, float], float]:
        if not hasattr(self, "_trained"):
            self._trained = _log_odds(self._names, self.words - self._names)
        return self._trained


def _grams(word: str) -> list[str]:
    framed = f"^{word}$"
    return [framed[i : i + 3] for i in range(len(framed) - 2)]


def _log_odds(names: Iterable[str], words: Iterable[str]) -> tuple[dict[str, float], float]:
    """Naive Bayes over three letters at a time, with additive smoothing; and that of unseen ones."""
    smooth, kinds = 0.4, 9000
    of_names = Counter(gram for name in names for gram in _grams(name))
    of_words = Counter(gram for word in words for gram in _grams(word))
    base_names = math.log(of_names.total() + smooth * kinds)
    base_words = math.log(of_words.total() + smooth * kinds)
    odds = {
        gram: math.log(of_names[gram] + smooth) - base_names
        - math.log(of_words[gram] + smooth) + base_words
        for gram in sorted(of_names.keys() | of_words.keys())
    }  # fmt: skip
    return odds, base_words - base_names


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The shipped lists, read once."""
    names = read_yaml(shipped("scrubbing", "names.yaml"))
    words = read_yaml(shipped("scrubbing", "words.yaml"))
    return Lexicon(
        fold(names["given"]).split(),
        fold(names["surnames"]).split(),
        words["words"].split(),
        words["both"].split(),
        names["places"].split(),
    )
