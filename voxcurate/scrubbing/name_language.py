"""Which lines of a text are English, which are German, which are in another language.

The long lists are of English words and of Americans' names: in other languages they would take
nouns for surnames ("Herz", "Masa"), so that there they are hardly asked. In German every noun has a
capital, so that a capital says nothing.
"""

from collections.abc import Sequence

from voxcurate.scrubbing.vocabulary import fold
from voxcurate.scrubbing.wordlist import word_set

_ENGLISH = word_set("""
    the of and with without is are was were no not to from for on at by or this that there has
    have been
    his her she he it as who which an be seen reported noted left right normal unchanged
""")
_GERMAN = word_set("""
    patientin kollege kollegin stationsarzt oberarzt hausarzt um wird bittet der das und mit
    ohne nicht kein keine keinen keiner vom von zum zur beim bei ist sind wird
    wurde eine
    einer eines einem einen auf aus nach oder sowie dem den im rechts links über unter bis als
    auch für
    herr frau zeigt sich es wir ihre ihr bitte sie unauffällig regelrecht kleine große nativ
    befund
    beurteilung klinische fragestellung
""")
_OTHERS = word_set("""
    les des une est avec sans dans pour sur aux du pas par qui le la et au
    el los las del con sin por se y en lado derecho
    mme mlle cher chere merci docteur votre nous suite vu vue ete chez
    paciente paziente signora signor gentile egregio sig dott dra sra esposa hijo hija acude
    valora
    dhr mevr mw mevrouw werd besproken gezien dochter uit
    patienten kommer hustru fran pacjent pani pan lekarz
    il della di senza nel alla dei delle si dell al
    do da dos das com sem não em ao na
    het een van met geen niet zijn naar op de voor rechter linker
    och med inga utan för på av er ikke og til ingen det som uten uden ett
    w z nie bez jest oraz po prawej lewej
    v se je ve bez na
    az és nem jobb bal ja ei on sekä oikea vasen
    ve ile bir yok sağ sol
    și cu în fără dan dengan tidak yang và của không
""")
_SHARED = word_set(
    "an as on do die des de la le les van von del in am was war see no se je ja en al v w z y"
)

FOREIGN = frozenset(map(fold, (_GERMAN | _OTHERS) - _SHARED))  # function words, folded


def languages(low: Sequence[str], starts_line: Sequence[bool], raw: Sequence[str]) -> list[str]:
    """The language of each word's line: ``e`` English, ``g`` German, ``f`` another one.

    A line with fewer than three telling words, one of them English, has the language of the whole
    text; a text that tells nothing is English.

    Args:
        low: the words, folded.
        starts_line: whether a line begins with the word.
        raw: the words as written, in small letters.
    """
    votes = [_vote(folded, word) for folded, word in zip(low, raw, strict=True)]
    whole = _winner(votes, "e")
    if "g" not in votes and "f" not in votes:
        return ["e"] * len(votes)
    result: list[str] = []
    line: list[str] = []
    for vote, starts in zip(votes, starts_line, strict=True):
        if starts and line:
            result += [_winner(line, whole)] * len(line)
            line = []
        line.append(vote)
    return result + [_winner(line, whole)] * len(line)


def _vote(folded: str, word: str) -> str:
    if word in _SHARED:
        return "s"
    if word in _ENGLISH:
        return "e"
    if word in _GERMAN:
        return "g"
    return "f" if word in _OTHERS or (word != folded and word.islower()) else ""


def _winner(votes: Sequence[str], otherwise: str) -> str:
    english, german, others, shared = (votes.count(kind) for kind in "egfs")
    if english + german + others < 3:
        few = english == 0 and german + others > 0 and german + others + shared > 1
        return otherwise if not few else "g" if german >= others else "f"
    if english >= german + others:
        return "e"
    return "g" if german >= others else "f"
