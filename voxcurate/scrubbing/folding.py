"""Small letters without accents, of the same length as the text."""

import unicodedata
from functools import lru_cache

_LETTERS = str.maketrans("øłđıħŧ", "oldiht")


def fold(text: str) -> str:
    """Lower case without accents, of exactly the same length, so that spans carry over."""
    if text.isascii():
        return text.lower()
    return "".join(_fold_char(char) for char in text)


@lru_cache(maxsize=4096)
def _fold_char(char: str) -> str:
    if char.isascii():
        return char.lower()
    plain = unicodedata.normalize("NFKD", char)[:1].lower().translate(_LETTERS)
    return plain if len(plain) == 1 else char
