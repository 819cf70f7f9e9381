"""A questionnaire compiled for reading: one tree of phrases for cues, organs and questions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from retrieval.questions import Question, organ_words, roles, steps, terms
from retrieval.rules.cues import CueRoles, cue_phrases, cue_words
from retrieval.rules.lexicon import Lexicon
from retrieval.rules.loose import LoosePhrases, loose_words
from retrieval.rules.phrases import Automaton

_SIDES = ("left", "right", "both", "bilateral", "bilaterally", "lt", "rt", "bibasilar", "bibasal")
LOOSE_ROLES = ("phrase", "exclude", "no", "sign")


class Use(NamedTuple):
    """What a phrase is for: a question's index, its role there, and for a term whose it must be."""

    question: int
    role: str  # term, phrase, exclude, no, sign, or the choice's name after "choice:"
    organ: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """All that a phrase stands for."""

    cues: tuple[tuple[CueRoles, bool], ...]
    organs: frozenset[str]
    uses: tuple[tuple[str, tuple[int, ...]], ...]  # in their order: a role and its questions
    terms: tuple[tuple[str, tuple[int, ...]], ...]  # by organ
    is_normal: bool


class Tables:
    """Phrases and questions by what reading asks of them.

    Args:
        questions: of the questionnaire, in order.
    """

    def __init__(self, questions: Sequence[Question]) -> None:
        self.questions = tuple(questions)
        entries = list(_entries(self.questions))
        words = (*cue_words(), *loose_words(), *normal_words(), *_SIDES)
        self.lexicon = Lexicon([*(phrase for phrase, _, _ in entries), *words])
        self.automaton: Automaton[Any] = Automaton(
            self.lexicon, ((phrase, (kind, what)) for phrase, kind, what in entries)
        )
        self.automaton.finish(_ending)
        self.loose: LoosePhrases[Use] = LoosePhrases(
            self.lexicon,
            (
                (phrase, what)
                for phrase, kind, what in entries
                if kind == "use" and what.role in LOOSE_ROLES
            ),
        )
        self.attributes = {
            kind: frozenset(part for word in words for part in self.lexicon.phrase(word))
            for kind, words in terms()["attributes"].items()
        }
        self.by_id = {item.id: i for i, item in enumerate(self.questions)}
        self.by_signs = [item for item in self.questions if item.signs]
        self.broader = [  # of presence questions, the narrowest first
            (item.id, item.asked_when)
            for step in reversed(steps(self.questions))
            for item in step
            if item.kind == "presence" and item.asked_when
        ]
        self.normal_of: dict[str, list[int]] = {}
        for i, item in enumerate(self.questions):
            if item.organ and (item.normal or item.normal_size):
                self.normal_of.setdefault(item.organ, []).append(i)
        self.sizes = [  # with what it is of, and the organ whose own size it is
            (i, self.by_id.get(item.of, -1), "" if item.of else item.organ)
            for i, item in enumerate(self.questions)
            if item.kind == "size"
        ]
        self.sized = frozenset(i if of < 0 else of for i, of, _ in self.sizes)
        self.measured_organs = frozenset(organ for _, _, organ in self.sizes if organ)
        self.measured = frozenset(  # a size beside one of them may be one that is asked for
            i
            for i, item in enumerate(self.questions)
            if item.kind == "size" or item.organ in self.measured_organs
        )
        self.numbers = [i for i, item in enumerate(self.questions) if item.kind == "number"]


def _entries(questions: Sequence[Question]) -> Iterator[tuple[str, str, Any]]:
    for cue, cue_roles in cue_phrases():
        yield cue.removesuffix("$"), "cue", (cue_roles, cue.endswith("$"))
    for organ, names in organ_words(questions).items():
        for name in dict.fromkeys((organ.replace("_", " "), *names)):
            yield name, "organ", organ
    for word in terms()["normal"]:
        yield word, "normal", None
    for index, question in enumerate(questions):
        yield from _uses(index, question)


def _uses(index: int, question: Question) -> Iterator[tuple[str, str, Use]]:
    seen: set[tuple[str, str]] = set()
    for phrase, role in roles(question):
        for word in (phrase, *_related(phrase)):
            if (word, role) not in seen:
                seen.add((word, role))
                organ = question.organ if role == "term" else ""
                yield word, "use", Use(index, role, organ)
        for word in _lookalikes(phrase) if role in ("phrase", "term") else ():
            if (word, "exclude") not in seen:
                seen.add((word, "exclude"))
                yield word, "use", Use(index, "exclude")
        if role == "phrase" and question.kind == "presence":
            for organ, finding in _borne(phrase):
                if (organ, finding) not in seen and (finding, "phrase") not in seen:
                    seen.add((organ, finding))
                    yield finding, "use", Use(index, "term", organ)
    for choice, phrases in question.choices.items():
        for phrase in phrases:
            yield phrase, "use", Use(index, f"choice:{choice}")


def _related(phrase: str) -> tuple[str, ...]:
    return _relatives().get(phrase.lower(), ())


@cache
def _relatives() -> dict[str, tuple[str, ...]]:
    return {
        word: tuple(other for other in group if other != word)
        for group in terms()["related"]
        for word in group
    }


def _lookalikes(phrase: str) -> tuple[str, ...]:
    """Longer phrases around one that are something else, whoever asks."""
    return tuple(terms()["lookalikes"].get(phrase.lower(), ()))


def _borne(phrase: str) -> Iterator[tuple[str, str]]:
    """The organ and the finding of "pulmonary nodule"."""
    for organ, names in terms()["bearers"].items():
        for name in sorted(names, key=len, reverse=True):
            if phrase.startswith(f"{name} ") and phrase[len(name) + 1 :].isalpha():
                yield organ, phrase[len(name) + 1 :]
                return


def normal_words() -> Iterable[str]:
    """Words that tell how far something is normal."""
    return [word for words in terms()["attributes"].values() for word in words]


def _ending(payloads: list[tuple[str, Any]]) -> Ending:
    uses = [what for kind, what in payloads if kind == "use"]
    by_organ: dict[str, list[int]] = {}
    for use in uses:
        if use.role == "term":
            by_organ.setdefault(use.organ, []).append(use.question)
    runs = groupby((use for use in uses if use.role != "term"), key=attrgetter("role"))
    return Ending(
        cues=tuple(what for kind, what in payloads if kind == "cue"),
        organs=frozenset(what for kind, what in payloads if kind == "organ"),
        uses=tuple((role, tuple(use.question for use in run)) for role, run in runs),
        terms=tuple((organ, tuple(found)) for organ, found in by_organ.items()),
        is_normal=any(kind == "normal" for kind, _ in payloads),
    )
