"""What stands in one sentence: its words, cues, organs, and where the questions' words stand."""

from dataclasses import dataclass, field
from functools import cache

from retrieval.questions import terms
from retrieval.rules.anatomy import OrganGroup, organs_of
from retrieval.rules.context import Context, Scopes
from retrieval.rules.lexicon import Tokens
from retrieval.rules.measure import Measurement, measurements
from retrieval.rules.tables import Ending
from retrieval.rules.text import Sentence

Span = tuple[int, int]


@cache
def roving() -> frozenset[str]:
    """Organs that lie in others."""
    return frozenset(terms()["roving"])


@cache
def unpaired() -> frozenset[str]:
    """Organs that have no side."""
    return frozenset(terms()["unpaired"])


@dataclass(slots=True)
class Hit:
    """A question's words in a sentence.

    `first` and `last` bound its words (of a phrase in parts: its head); `parts` are the places that
    context is asked for; `start` and `end` are characters of the sentence.
    """

    question: int
    role: str
    first: int
    last: int
    parts: tuple[Span, ...]
    start: int
    end: int
    is_own: bool = True  # its organ is named in the sentence, or it needs none


@dataclass(slots=True)
class Scan:
    """What stands in a sentence. `subject` are the organs that it speaks of unnamed."""

    sentence: Sentence
    tokens: Tokens
    scopes: Scopes
    groups: list[OrganGroup]
    subject: frozenset[str]
    is_topic: bool
    normals: list[Span]
    found: list[tuple[int, int, Ending]]
    hits: list[Hit] = field(default_factory=list)
    _organs: dict[Span, frozenset[str]] = field(default_factory=dict)
    _contexts: dict[tuple[Span, ...], Context] = field(default_factory=dict)
    _sizes: list[Measurement] | None = None

    def chars(self, first: int, last: int) -> Span:
        """Characters of the words ``first:last``."""
        return self.tokens.starts[first], self.tokens.ends[last - 1]

    def organs(self, first: int, last: int) -> frozenset[str]:
        """The organs that some words speak of; empty where the sentence names none for them."""
        key = (first, last)
        found = self._organs.get(key)
        if found is None:
            start, end = self.chars(first, last)
            found = organs_of(self.sentence.text, start, end, self.groups)
            if found and found <= roving():
                others = [g for g in self.groups if not g.organs <= roving()]
                found |= organs_of(self.sentence.text, start, end, others)
            self._organs[key] = found
        return found

    def organs_unnamed(self, first: int) -> frozenset[str]:
        """The organs that words without one speak of: the line's, else those named before."""
        if self.is_topic or not self.groups or self.groups[0].start < self.tokens.starts[first]:
            return self.subject
        return frozenset()

    def context(self, hit: Hit) -> Context:
        """Context of a hit; of a phrase in parts what acts on any part."""
        found = self._contexts.get(hit.parts)
        if found is None:
            found = self._contexts[hit.parts] = self._context(hit.parts)
        return found

    def _context(self, parts: tuple[Span, ...]) -> Context:
        if len(parts) == 1:
            return self.scopes.of(*parts[0])
        first, *others = (self.scopes.of(*part, parts) for part in parts)
        return next((c for c in others if c.negated), first) if not first.negated else first

    def sizes(self) -> list[Measurement]:
        """Sizes in the sentence, left to right."""
        if self._sizes is None:
            self._sizes = measurements(self.sentence.text)
        return self._sizes
