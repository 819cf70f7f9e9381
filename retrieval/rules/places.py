"""Which side a finding is on."""

from retrieval.rules.scan import Hit, Scan

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
