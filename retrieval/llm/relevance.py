"""Whether a sentence speaks of what a question asks for."""

import re
from collections.abc import Sequence

from retrieval.questions import Question, ancestors, expand, organ_words
from retrieval.rules.phrases import PhraseFinder

_TOKEN = re.compile(r"[^\W\d_]{3,}\*?")
_STEM = 6  # letters by which words are compared
_SHORTEST = 4  # letters of a word that counts by itself
_COMMON = frozenset(
    re.findall(
        r"\w+",
        """about acute after answer answered appearance area areas before both change chronic
        diffuse does each enlarged every finding findings focal from given have into kind large left
        likely lower made many mentioned mild moderate most much multiple named normal only other
        part patient post present previous prior report reported reports right said says scan scans
        seen severe shown size small status such than that their them there these they this those
        today unremarkable upper what when where whether which while will with within without would
        were""",
    )
)


class Relevance:
    """The words of questions: phrases, terms, organ, choices; those of what a question is `of` too.

    Loosely, any longer word of them or of the question's own text speaks of it. Strictly, a whole
    phrase, name of the organ or choice must be there, and terms, which many organs share, do not
    count where the question has an organ.

    Args:
        questions: all of the questionnaire.
    """

    def __init__(self, questions: Sequence[Question]) -> None:
        self._questions = {item.id: item for item in questions}
        self._organs = organ_words(questions)
        self._broader = ancestors(questions)
        self._phrases: dict[tuple[str, bool], PhraseFinder[None]] = {}
        self._words: dict[str, tuple[frozenset[str], tuple[str, ...]]] = {}

    def speaks_of(self, question: Question, text: str, *, strict: bool) -> bool:
        """Whether the text does."""
        if next(iter(self._finder(question, strict=strict).find(text)), None) is not None:
            return True
        return not strict and self._shares_a_word(question, text)

    def _shares_a_word(self, question: Question, text: str) -> bool:
        if question.id not in self._words:
            listed = (*self._listed(question, strict=False), question.text, question.id)
            tokens = {t for phrase in listed for t in _tokens(phrase.replace("_", " "))}
            whole = frozenset(_stem(t) for t in tokens if not t.endswith("*"))
            begun = tuple(t[:-1] for t in tokens if t.endswith("*"))
            self._words[question.id] = (whole, begun)
        whole, begun = self._words[question.id]
        return any(_stem(t) in whole or t.startswith(begun) for t in _tokens(text))

    def _finder(self, question: Question, *, strict: bool) -> PhraseFinder[None]:
        key = (question.id, strict)
        if key not in self._phrases:
            words = self._listed(question, strict=strict) or _tokens(question.text)
            chosen = dict.fromkeys(words or [question.id.replace("_", " ")])
            self._phrases[key] = PhraseFinder((word, None) for word in chosen)
        return self._phrases[key]

    def _listed(self, question: Question, *, strict: bool) -> list[str]:
        words = self._own(question, strict=strict)
        if question.of or not words:
            for name in self._broader.get(question.id, ()):
                words += self._own(self._questions[name], strict=strict)
        return words

    def _own(self, question: Question, *, strict: bool) -> list[str]:
        organ = [*self._organs.get(question.organ, ()), *question.organ_words]
        own = expand((*question.phrases, *question.suggests, *question.says_no))
        shared = () if strict and organ else expand(question.terms)
        choices = [word for words in question.choices.values() for word in expand(words)]
        names = [name.replace("_", " ") for name in question.choices]
        return [*own, *shared, *organ, *choices, *names]


def _tokens(text: str) -> list[str]:
    found = _TOKEN.findall(text.lower())
    return [t for t in found if len(t) >= _SHORTEST and t not in _COMMON]


def _stem(word: str) -> str:
    """Pancreas and pancreatic, nodule and nodular are one."""
    return word.removesuffix("s")[:_STEM]
