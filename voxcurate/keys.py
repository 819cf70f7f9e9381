"""The secret keys behind ids: made once, readable by their owner only, never beside the data."""

import os
import secrets
import stat
from pathlib import Path

from voxcurate.atomic import sync_folder
from voxcurate.errors import WorkspaceError

KEY_BYTES = 32


def key_folder() -> Path:
    """The folder of keys in the user's configuration folder."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "voxcurate" / "keys"


def read_key(path: Path, owner: str = "the workspace's") -> bytes:
    """The key in a file.

    Args:
        path: the file.
        owner: how messages call the key.

    Raises:
        WorkspaceError: others may read the file, or it holds no key: an empty key would make ids
            that anybody can recompute.
    """
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise WorkspaceError(f"{owner} key can be read by others: want mode 600")
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise WorkspaceError(f"{owner} key is damaged: want {2 * KEY_BYTES} hexadecimal digits")
    return key


def make_key(path: Path) -> None:
    """A new key. Whole or not there: a key cut short by a crash would be another key."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass  # another process was faster: its key counts
        except OSError:  # no hard links here
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
