"""Which side a finding is on, and which of choices that differ by side is meant."""

from collections.abc import Iterator, Sequence

from retrieval.questions import Question
from retrieval.rules.scan import Hit, Scan
from retrieval.rules.tables import Tables

_SIDES = {
    "left": "left",
    "right": "right",
    "both": "both",
    "bilateral": "both",
    "bilaterally": "both",
}
_WORD_SIDES = {"lt": "left", "rt": "right", **_SIDES, "bibasilar": "both", "bibasal": "both"}
SIDE_WORDS = tuple(_WORD_SIDES)
_NEAR_BEFORE = 6  # words


def side_words(scan: Scan) -> list[tuple[int, str]]:
    """Places of the words of side and what they say."""
    return [(p, _WORD_SIDES[w]) for p, w in enumerate(scan.tokens.words) if w in _WORD_SIDES]


def side_of_hit(hit: Hit, sides: list[tuple[int, str]], words: list[str], others: list[int]) -> str:
    """The side named for a hit: right before it, else after it, else the nearest; "" for none.

    "Left and right" and "both" are both, and so are two sides behind a hit with no other thing
    between them ("changes in the middle lobe of the right lung and the lingula of the left").

    Args:
        others: where the words of all hits begin.
    """
    if not sides:
        return ""
    named = {side for _, side in sides}
    if named == {"left", "right"} and len(sides) == 2:
        (a, _), (b, _) = sides
        if b - a <= 3 and {"and", "or", "/"} & set(words[a:b]):
            return "both"
    inside = [side for p, side in sides if hit.first <= p < hit.last]
    if inside:
        return inside[0]
    before = [(hit.first - p, side) for p, side in sides if p < hit.first]
    after = [(p - hit.last, side) for p, side in sides if p >= hit.last]
    if before:
        distance, side = min(before)
        at = hit.first - distance
        if distance <= _NEAR_BEFORE and not {",", ";", "and", "but"} & set(words[at : hit.first]):
            return side
    if after:
        distance, side = min(after)
        limit = min((p for p in others if p > hit.last + distance), default=len(words))
        limit = next((p for p in range(hit.last, limit) if words[p] in (";", "but")), limit)
        if len({s for p, s in after if p + hit.last < limit}) > 1:
            return "both"
        if not {";", "but"} & set(words[hit.last : hit.last + distance]):
            return side
    return min(before or after)[1]


class Places:
    """Choices that share words ("upper lobes" of the left and the right lung).

    Args:
        tables: of the questionnaire.
    """

    def __init__(self, tables: Tables) -> None:
        self._shared: dict[tuple[int, tuple[str, ...]], tuple[str, ...]] = {}
        for q, question in enumerate(tables.questions):
            for phrase, names in _shared(question, tables):
                self._shared[q, phrase] = names

    def choices(self, hit: Hit, scan: Scan) -> Sequence[str]:
        """What the words of a choice mean: of choices that share them those of the side named.

        Both where both sides are named or the words stand in the plural; none for one place without
        a side ("the upper lobe").
        """
        words = scan.tokens.words
        shared = self._shared.get((hit.question, tuple(words[hit.first : hit.last])))
        if shared is None:
            return (hit.role.removeprefix("choice:"),)
        text = scan.sentence.text[hit.start : hit.end].lower()
        side = "both" if text.startswith("b") else side_of_hit(hit, side_words(scan), words, [])
        sided = [name for name in shared if name.partition("_")[0] == side]
        if sided:
            return sided
        return shared if side == "both" or text.endswith("s") or not _is_sided(shared) else ()


def _shared(
    question: Question, tables: Tables
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Words that several choices of a question have, and which."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name, phrases in question.choices.items():
        for words in {tables.lexicon.phrase(phrase) for phrase in phrases}:
            found.setdefault(words, []).append(name)
    yield from ((words, tuple(names)) for words, names in found.items() if len(names) > 1)


def _is_sided(names: Sequence[str]) -> bool:
    return all(name.partition("_")[0] in ("left", "right") for name in names)
