"""The words that may stand in a header: a list, because what a name is nobody can list.

A word of a description, a label or a coded value is kept only if it is known to identify nobody.
The list is made of the names of DICOM's attributes, the plain and clinical words that the text
scrubber knows (``configs/scrubbing/words.yaml``), and the words of headers in ``words.txt``.
Frequent names are never in it unless a body part or a technique is called so.
"""

import re
from functools import lru_cache
from pathlib import Path

from voxcurate.scrubbing.vocabulary import fold, lexicon

WORD = re.compile(r"[^\W\d_]+")
_PLACES = frozenset({"america", "california", "china", "england", "germany", "stanford", "yunnan"})
_ENDINGS = ("s", "es", "ed", "d", "ing", "al", "ly", "n", "en", "er", "e")


# schemes whose codes are public; any other may be a hospital's own
SCHEMES = frozenset(
    """SCT SRT SNM3 DCM LN UCUM RADLEX FMA UMLS I10 I10P I9C ICD10 ICD-O-3 ICDO3 NCIt RXNORM MSH MDC
    IBSI BARI NEU NDC CD8 C4 C5 HL7 ISO3166_1 ISO639_1 ISO639_2 ITIS_TSN POS PUBCHEM_CID SDM UNS BI
    JJ1017 GCS IVDB LOINC SNOMED RFC5646 RFC3066 ACR MA UBERON 99DCMQI 99SDM 99PMP 99HIGHDICOM
    99QIICR 99TS""".split()  # noqa: SIM905
)


@lru_cache(maxsize=1)
def header_words() -> frozenset[str]:
    """The words of headers written down here, lower case."""
    return _listed("words.txt")


@lru_cache(maxsize=1)
def defined_terms() -> frozenset[str]:
    """The terms of coded strings written down here, lower case; some are too short for texts."""
    return _listed("terms.txt")


def _listed(name: str) -> frozenset[str]:
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    return frozenset(w for line in lines if not line.startswith("#") for w in line.split())


@lru_cache(maxsize=1)
def vocabulary() -> frozenset[str]:
    """All words, lower case, with and without accents."""
    from pydicom._dicom_dict import DicomDictionary

    listed = lexicon()
    attributes = {
        word for entry in DicomDictionary.values() for word in WORD.findall(entry[2].lower())
    }
    terms = {word for term in defined_terms() for word in WORD.findall(term) if len(word) > 3}
    return frozenset((attributes | listed.words | terms) - _people() | header_words())


@lru_cache(maxsize=1)
def _people() -> frozenset[str]:
    """Names of people and places that are frequent, plain words among them."""
    listed = lexicon()
    names = listed.given | listed.surnames | listed.both | listed.places | listed.eponyms
    return frozenset(names | _PLACES)


@lru_cache(maxsize=65536)
def is_plain(word: str) -> bool:
    """Whether a word of letters alone identifies nobody, in this or a plainer form of it."""
    known = vocabulary()
    low = word.casefold()
    if low in known:
        return True
    plain = low.translate(_PLAIN)
    if plain in known or (plain.endswith("y") and len(plain) > 3 and f"{plain[:-1]}ies" in known):
        return True
    if fold(plain) in _people():  # "Walker" is no form of "walk"
        return False
    for ending in _ENDINGS:
        stem = plain.removesuffix(ending)
        if len(stem) > 3 and stem != plain and stem in known:
            return True
    return plain.endswith("ies") and f"{plain[:-3]}y" in known


def is_name(word: str) -> bool:
    """Whether a word is a frequent name and nothing else."""
    return lexicon().kind(fold(word)) == "n" and word.casefold() not in header_words()


def is_harmless(word: str) -> bool:
    """Whether a word identifies nobody, or is run together of words that do not: "SpinalCord"."""
    if is_plain(word):
        return True
    parts = CAMEL.findall(word)
    return (
        len(parts) > 1
        and "".join(parts) == word
        and all(len(part) > 1 and is_plain(part) for part in parts)
    )


CAMEL = re.compile(r"[A-ZÄÖÜ]+(?![a-zäöüß])|[A-ZÄÖÜ]?[a-zäöüß]+")
_PLAIN = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "è": "e", "ê": "e", "à": "a", "á": "a"}
    | {"â": "a", "í": "i", "ì": "i", "î": "i", "ó": "o", "ò": "o", "ô": "o", "ú": "u", "ù": "u"}
    | {"û": "u", "ç": "c", "ñ": "n", "ï": "i", "ë": "e"}
)
