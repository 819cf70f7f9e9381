"""Stored fingerprints: a file that new scans are compared against."""

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cleaning.duplicates.config import DuplicateConfig
from cleaning.duplicates.hashing import HASH_VERSION, ScanFingerprint
from cleaning.duplicates.pairs import DEFAULT, DuplicatePair, compare
from voxcurate.atomic import write_atomic
from voxcurate.errors import ConfigError

FORMAT = "voxcurate fingerprints"
LONGEST_LINE = 1 << 20


@dataclass(frozen=True, eq=False)
class FingerprintIndex:
    """Fingerprints by id, compared with each other already.

    Adding new ones finds the pairs that have at least one new scan: together with those found
    before, the pairs of all at once.
    """

    prints: Mapping[str, ScanFingerprint] = field(default_factory=dict)

    def query(
        self, new: Mapping[str, ScanFingerprint], config: DuplicateConfig = DEFAULT
    ) -> list[DuplicatePair]:
        """Pairs of new scans with stored ones and with each other.

        Raises:
            ValueError: an id of the new ones is stored.
        """
        return compare(new, config, known=self.prints)

    def added(self, new: Mapping[str, ScanFingerprint]) -> "FingerprintIndex":
        """An index with the new scans too."""
        return FingerprintIndex({**self.prints, **new})

    def save(self, path: Path) -> None:
        """Write the file: gzip of JSON lines, a header first; whole or not at all."""
        lines = [json.dumps({"format": FORMAT, "version": HASH_VERSION, "n": len(self.prints)})]
        lines += [json.dumps({"id": key, **mark.as_dict()}) for key, mark in self.prints.items()]
        data = gzip.compress("\n".join(lines).encode() + b"\n", 1, mtime=0)
        write_atomic(path, [data])

    @classmethod
    def load(cls, path: Path) -> "FingerprintIndex":
        """What `save` wrote.

        Raises:
            ConfigError: no such file, no index, or one of another version.
        """
        prints: dict[str, ScanFingerprint] = {}
        try:
            with gzip.open(path, "rt", encoding="utf-8") as file:
                head = json.loads(file.readline(LONGEST_LINE) or "{}")
                if not isinstance(head, dict) or head.get("format") != FORMAT:
                    raise ConfigError("the index is no file of fingerprints")
                if head.get("version") != HASH_VERSION:
                    raise ConfigError(
                        f"the index has fingerprints of version {head.get('version')}, want "
                        f"{HASH_VERSION}: make it anew"
                    )
                for line in file:
                    data = json.loads(line)
                    prints[str(data.pop("id"))] = ScanFingerprint.from_dict(data)
        except FileNotFoundError:
            raise ConfigError("no such index file") from None
        except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError):
            raise ConfigError("the index file is damaged") from None
        if len(prints) != head.get("n"):
            raise ConfigError("the index file is damaged: scans are missing")
        return cls(prints)
