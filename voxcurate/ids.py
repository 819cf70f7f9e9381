"""Ids: keyed for cases and patients, content hashes for everything that is derived."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DIGITS = 10


def case_id(source: str, identity: str, key: bytes) -> str:
    """``<source>_<10 characters>``: HMAC-SHA256 of the series UID (else relative path), in base32.

    The same series in the same workspace always has the same id; without the key nobody can test
    whether a
    given UID is in the dataset.
    """
    return f"{source}_{keyed(f'case:{source}:{identity}', key)}"


def keyed(text: str, key: bytes, digits: int = DIGITS) -> str:
    """The first `digits` base32 characters (lower case) of the HMAC of any text."""
    mac = hmac.new(key, _bytes(text), hashlib.sha256).digest()
    return base64.b32encode(mac).decode("ascii").lower()[:digits]


def content_id(*parts: Any, digits: int = 16) -> str:
    """Hexadecimal hash of plain data: ids of labels and decisions, and ledger fingerprints.

    Mappings are order-free. It identifies a derived thing by what made it, never a patient or a
    scan.
    """
    text = json.dumps(parts, sort_keys=True, default=_plain, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _bytes(text: str) -> bytes:
    """UTF-8; the bytes that a file name had, and half characters, which have none, as they are."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return value.as_posix()
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"cannot hash {type(value).__name__}")
