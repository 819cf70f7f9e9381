"""Text to vectors without any weights: hashed words and letter groups."""

import hashlib
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

WORD = re.compile(r"[^\W_]+")
LETTERS = 3


class HashingEmbedder:
    """An `Embedder` that needs nothing: texts that share words or spellings come out alike.

    Every word and every group of three letters adds a signed one at a place given by its hash
    (Weinberger et al., ICML 2009). Knows no meaning: "kidney" and "renal" are strangers.

    Args:
        dimensions: length of the vectors.
    """

    name = "hashing"

    def __init__(self, dimensions: int = 256) -> None:
        self.dimensions = dimensions

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit vectors ``(n, dimensions)``; a text without words gives zeros."""
        result = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(result, texts, strict=True):
            for token in _tokens(text):
                digest = hashlib.blake2b(token.encode(), digest_size=8).digest()
                number = int.from_bytes(digest, "big")
                row[(number >> 1) % self.dimensions] += 1.0 if number & 1 else -1.0
        norms = np.linalg.norm(result, axis=1, keepdims=True)
        unit: npt.NDArray[np.float32] = (result / np.where(norms > 0, norms, 1.0)).astype("f4")
        return unit


def _tokens(text: str) -> list[str]:
    words = WORD.findall(text.lower())
    groups = [f"<{w}>"[n : n + LETTERS] for w in words for n in range(len(w) + 3 - LETTERS)]
    return [*words, *groups]
