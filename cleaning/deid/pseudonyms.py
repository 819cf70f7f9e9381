"""Keyed pseudonyms: the same in every process and run of a project, useless without its key."""

import hmac
import re
from functools import lru_cache
from hashlib import sha256

from voxcurate.ids import keyed
from voxcurate.scrub import Scrubber

STANDARD_ROOT = "1.2.840.10008."
_NOBODY = {"", "unknown", "none", "anonymous", "anonymized", "anon", "na", "nan", "xxxx", "noname"}


class Pseudonyms:
    """New ids for old ones.

    Args:
        key: the project's secret.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._scrubber = Scrubber(key=key)
        self.uid = lru_cache(maxsize=65536)(self._uid)
        self.shift_days = lru_cache(maxsize=4096)(self._scrubber.shift_days)

    def _uid(self, old: str) -> str:
        """``2.25.`` and an integer of 128 bits, made as a UUID of version 8 (RFC 9562).

        An empty UID stays empty; one that the standard defines stays as it is.
        """
        old = old.strip(" \0")
        if not old or old.startswith(STANDARD_ROOT):
            return old
        mac = hmac.new(self._key, f"uid:{old}".encode("utf-8", "surrogatepass"), sha256).digest()
        number = int.from_bytes(mac[:16], "big")
        number = number & ~(0xF << 76) | 8 << 76
        return f"2.25.{number & ~(0x3 << 62) | 0x2 << 62}"

    def patient(self, patient_id: str, fallback: str = "") -> str:
        """Ten letters and digits for a patient.

        The same id gives what `voxcurate ingest` gives for it with the same key. An id that names
        nobody ("", "ANON", "0000") is replaced by `fallback`.
        """
        value = patient_id.strip(" \0")
        if is_nobody(value):
            return keyed(f"patient:header:{fallback}", self._key)
        return keyed(f"patient::{value}", self._key)

    def name(self, kind: str, value: str) -> str:
        """Ten letters and digits for a study, a series, a file."""
        return keyed(f"{kind}:{value}", self._key)


def is_nobody(value: str) -> bool:
    """Whether a patient id is a placeholder."""
    letters = re.sub(r"[\W_]", "", value.lower())
    return letters in _NOBODY or not letters.strip("0x")
