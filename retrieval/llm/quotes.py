"""Finding a quote in the report it is said to come from."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

from retrieval.rules.text import Sentence, sections, sentences

_SAME = {
    **dict.fromkeys("‘’‚‛′`´", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    "…": "...",
    "‹": "<",
    "⟦": "[",
    "×": "x",
}
_EDGES = " \"'.,;:-•*"
_NUMBERED = re.compile(r"^\s*\(?\d{1,2}[.)]\s+")


def fold(text: str) -> tuple[str, list[int]]:
    """The text as quotes are compared, and for each of its characters the place in `text`.

    Small letters, plain quotes and dashes, one space for any white space, nothing invisible; what
    `guarded` (retrieval.llm.prompt) changes counts as unchanged.
    """
    letters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if character.isspace():
            if letters and letters[-1] == " ":
                continue
            new = " "
        elif unicodedata.category(character) in ("Cf", "Cc", "Mn"):
            continue
        else:
            plain = unicodedata.normalize("NFKC", _SAME.get(character, character))
            new = "".join(_SAME.get(c, c) for c in plain).lower()
        for letter in new:
            letters.append(letter)
            places.append(place)
    return "".join(letters), places


@dataclass(frozen=True)
class ReportText:
    """A report in which quotes are looked for."""

    text: str

    @cached_property
    def _folded(self) -> tuple[str, list[int]]:
        return fold(self.text)

    @cached_property
    def _sentences(self) -> list[Sentence]:
        return sentences(self.text)

    def find(self, quote: str) -> tuple[int, int] | None:
        """Where the quote stands, first place; None if it does not, or holds no letter or digit.

        White space, case, the kind of quotes and dashes, and marks at its ends do not count. It
        begins and ends where words do.
        """
        folded, places = self._folded
        for wanted in _forms(quote):
            if not any(c.isalnum() for c in wanted):
                continue
            match = re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", folded)
            if match:
                return places[match.start()], places[match.end() - 1] + 1
        return None

    def around(self, span: tuple[int, int], *, before: int = 0) -> str:
        """The whole sentences that a span touches and so many before, each after its topic."""
        touched = [
            i for i, s in enumerate(self._sentences) if s.start < span[1] and span[0] < s.end
        ]
        if not touched:
            return self.text[span[0] : span[1]]
        chosen = self._sentences[max(touched[0] - before, 0) : touched[-1] + 1]
        return "\n".join(_with_topic(sentence) for sentence in chosen)

    def section(self, span: tuple[int, int]) -> str:
        """The name of the section in which a span begins."""
        found = (s.name for s in sections(self.text) if s.start <= span[0] < s.end)
        return next(found, "")


def _with_topic(sentence: Sentence) -> str:
    is_there = not sentence.topic or sentence.text.startswith(sentence.topic)
    return sentence.text if is_there else f"{sentence.topic}: {sentence.text}"


def _forms(quote: str) -> list[str]:
    """The quote, without marks at its ends, and without the number of a list before it."""
    folded = fold(quote)[0].strip(_EDGES)
    unnumbered = _NUMBERED.sub("", fold(quote)[0]).strip(_EDGES)
    return list(dict.fromkeys((folded, unnumbered)))
