"""How far something is called normal."""

from retrieval.rules.scan import Scan
from retrieval.rules.tables import Tables

_ENDS = frozenset({";", ".", "(", ")", "but", "with", "without"})


def how_normal(scan: Scan, first: int, last: int, tables: Tables) -> str:
    """Whether "normal" is meant ``wholly`` or only of a ``part`` (size, calibre, course).

    Size together with contour or shape is whole ("normal in size and contour"), as radiologists
    then speak of the organ; size alone is not.
    """
    words, spelled = scan.tokens.words, tables.attributes
    named = spelled["full"] | spelled["partial"] | spelled["joining"]
    low, high = first, last
    while low and words[low - 1] not in _ENDS:
        if words[low - 1] == "," and (low < 2 or words[low - 2] not in named):
            break
        low -= 1
    while high < len(words) and words[high] not in _ENDS:
        if words[high] == "," and not named.intersection(words[high + 1 : high + 3]):
            break
        high += 1
    near = set(words[low:first]) | set(words[last:high])
    if near & spelled["full"]:
        return "wholly"
    if near & spelled["partial"]:
        return "wholly" if near & spelled["joining"] and "size" in near else "part"
    return "part" if near & spelled["joining"] else "wholly"
