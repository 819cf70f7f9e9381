"""Class names and descriptions as vectors: what the heads read, and what makes classes near."""

import hashlib
import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxcurate.classes import ClassInfo, Vocabulary
from voxcurate.errors import ConfigError
from voxcurate.protocols import EMBEDDERS, Embedder, load

WORD = re.compile(r"[^\W_]+")
LETTERS = 3
FILLERS = frozenset(
    re.findall(
        r"\w+",
        "a an and at by for from in into is it its of on or over that the this to under with",
    )
)
NO_TEXT = "none"
# cosine from which one class may lend its head to another: within 169 shipped classes the other
# side or a part of the same organ is above, an organ elsewhere below (docs/training.md)
NEAR = {"hashing": 0.4}
NEAR_DENSE = 0.65  # sentence models find all anatomy somewhat alike


def class_texts(classes: Sequence[str], vocabulary: Vocabulary) -> dict[str, str]:
    """Class to its name and description; a class the vocabulary does not know: its id in words."""
    known = [vocabulary[c] if c in vocabulary else ClassInfo(id=c) for c in classes]
    return {info.id: _text(info) for info in known}


def embed_classes(embedder: Embedder, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Unit vectors ``(classes, dimensions)`` of texts as `class_texts` gives them.

    The name (up to the first full stop) counts as much as all of the text: descriptions say
    "in front of the aorta" of what is not the aorta.
    """
    whole = embedder.embed(list(texts))
    names = embedder.embed([text.partition(". ")[0] for text in texts])
    both = whole + names
    norms = np.linalg.norm(both, axis=1, keepdims=True)
    vectors: npt.NDArray[np.float32] = (both / np.where(norms > 0, norms, 1.0)).astype(np.float32)
    return vectors


def make_embedder(name: str) -> Embedder:
    """The embedder of a registered name, or of a folder of a sentence-transformers model.

    Raises:
        ConfigError: neither, or its extra is not installed.
    """
    if name not in EMBEDDERS and Path(name).is_dir():
        return FolderEmbedder(Path(name))
    made: Embedder = load(EMBEDDERS, name)()
    return made


def nearness(embedder: str) -> float:
    """The cosine from which two classes are near for an embedder of that name."""
    return NEAR.get(embedder, NEAR_DENSE)


class HashingEmbedder:
    """An `Embedder` that needs nothing: texts that share words or spellings come out alike.

    Every word that says something and every group of three of its letters adds a signed one at a
    place given by its hash (Weinberger et al., ICML 2009). Knows no meaning: "kidney" and "renal"
    are strangers.

    Args:
        dimensions: length of the vectors.
    """

    name = "hashing"

    def __init__(self, dimensions: int = 512) -> None:
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


class FolderEmbedder:
    """An `Embedder` over a folder of a sentence-transformers model; nothing is downloaded.

    Its name is the folder's, so that no path gets into a bundle.

    Raises:
        ConfigError: the extra is not installed, or the folder holds no such model.
    """

    def __init__(self, folder: Path) -> None:
        self.name = folder.resolve().name
        try:
            library = import_module("sentence_transformers")
            self._model: Any = library.SentenceTransformer(str(folder), local_files_only=True)
        except ImportError:
            raise ConfigError("sentence models want pip install 'voxcurate[search]'") from None
        except (OSError, ValueError):
            raise ConfigError(f"no sentence-transformers model in folder {self.name}") from None
        self.dimensions = int(self.embed(["organ"]).shape[1])

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit vectors ``(n, dimensions)``."""
        found = self._model.encode(
            list(texts), normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )
        return np.asarray(found, dtype=np.float32)


def _text(info: ClassInfo) -> str:
    name = info.name or info.id.replace("_", " ")
    return f"{name}. {info.description}".strip()


def _tokens(text: str) -> list[str]:
    words = [word for word in WORD.findall(text.lower()) if word not in FILLERS]
    groups = [f"<{w}>"[n : n + LETTERS] for w in words for n in range(len(w) + 3 - LETTERS)]
    return [*words, *groups]
