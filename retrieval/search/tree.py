"""The questionnaire as a tree, as far as search wants it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from retrieval.questions import Question


@dataclass(frozen=True)
class Tree:
    """Which question is broader than which, and which one measures what another finds.

    Attributes:
        broader: by question, those of which at least one must be affirmed before it is asked.
        sizes: by presence question, the size question of its findings.
    """

    broader: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sizes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, questions: Iterable[Question]) -> "Tree":
        """The tree of a questionnaire."""
        known = list(questions)
        return cls(
            {q.id: q.asked_when for q in known if q.asked_when and q.kind == "presence"},
            {q.of: q.id for q in known if q.kind == "size" and q.of},
        )

    def size_of(self, question: str) -> str:
        """The size question of what a question finds, or of what a broader one finds; else ""."""
        if question in self.sizes:
            return self.sizes[question]
        if self.is_size(question):
            return question
        found = (self.size_of(name) for name in self.broader.get(question, ()))
        return next(filter(None, found), "")

    def is_size(self, question: str) -> bool:
        """Whether it asks for a size of something found."""
        return question in self.sizes.values()
