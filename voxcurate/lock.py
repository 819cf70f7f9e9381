"""The lock of a workspace: one writer at a time, on one machine or on many that share its files.

Two things guard a workspace, and a writer needs both:

- ``flock`` on ``.lock``: the kernel's own, free at the instant its holder dies. File systems differ
  in whether another machine sees it (NFS 4 does, Lustre by its mount options, some have none).
- A record in ``.lock.d/``: who holds it, since when, and a count that grows every `BEAT_S`. Holder
  is who made the record with the highest number; records are made by ``link``, which on every
  shared file system succeeds for one of several that try.

When the record says that somebody else holds the lock:

- A holder on this machine is dead if ``flock`` was free (where there is none: if no process has its
  number and start time). The lock is taken over at once.
- A holder on another machine is dead if its count stands still for `SILENCE_S` of *our* patience:
  clocks of two machines may differ, so its time stamps are not compared with ours, and the time
  that a look hangs in a stalled file server is not counted, for the holder hung there too. The
  second writer waits that long, and gives up as soon as the count moves.
- A holder that finds a higher number than its own (its machine slept for longer than `SILENCE_S`),
  or another's record in place of its own, has lost the lock and stops. One whose record was removed
  by hand makes it again.
- A catalog in PostgreSQL has an advisory lock as well, whatever the file system does.
"""

import errno
import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO

from voxcurate.errors import WorkspaceError
from voxcurate.lock_record import Holder, create, is_alive, myself, newest, rewrite, tidy

log = logging.getLogger(__name__)
FILE, FOLDER = ".lock", ".lock.d"
BEAT_S = 5.0
SILENCE_S = 60.0
LOOK_S = 1.0  # between two looks at a holder that may be dead
NO_FLOCK = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


@contextmanager
def locked(root: Path, *, catalog_url: str = "", name: str = "") -> Iterator[None]:
    """Held inside; SIGTERM (``scancel``) ends what is inside as Ctrl-C does, so that it is free
    again.

    Args:
        root: the workspace's folder.
        catalog_url: of its catalog; of a server, the lock is taken there too.
        name: of the lock there.

    Raises:
        WorkspaceError: somebody else holds it, or took it over meanwhile.
    """
    folder = root / FOLDER
    with ExitStack() as stack:
        stream = stack.enter_context((root / FILE).open("a+"))
        has_flock = _flock(stream, folder)
        if has_flock:
            stack.callback(_unflock, stream)
        if catalog_url.startswith("postgresql"):
            stack.enter_context(_advisory(catalog_url, name, folder))
        folder.mkdir(exist_ok=True)
        heart = _Heart(folder, *_take(folder, has_flock=has_flock))
        try:
            with heart, _ending_at_sigterm():
                yield
        except KeyboardInterrupt:
            if heart.lost is None:
                raise
        if heart.lost is not None:
            raise WorkspaceError(
                "this command was silent for too long and lost the workspace to "
                f"{heart.lost.described()}; what it had recorded stays"
            ) from None


def last_holder(root: Path) -> tuple[Holder, bool | None] | None:
    """Who holds the lock, or held it last, and whether it lives: None where that is not known for
    sure. Takes no lock and changes nothing. None: nobody ever held it.

    Of another machine's process its last sign of life tells; clocks are trusted here, for nothing
    depends on the answer.
    """
    number, found = newest(root / FOLDER)
    if number == 0 or found is None:
        return None
    if found.released:
        return found, False
    if found.is_here:
        return found, is_alive(found)
    return found, True if found.silent_s < SILENCE_S else None


def _flock(stream: IO[str], folder: Path) -> bool:
    """Take it; False where the file system has none."""
    import fcntl

    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _held(newest(folder)[1]) from None
    except OSError as error:
        if error.errno not in NO_FLOCK:
            raise
        return False
    return True


def _unflock(stream: IO[str]) -> None:
    """Said aloud: closing our file alone leaves it to a child that inherited it."""
    import fcntl

    fcntl.flock(stream, fcntl.LOCK_UN)


def _held(holder: Holder | None) -> WorkspaceError:
    who = f" ({holder.described()})" if holder is not None and not holder.released else ""
    return WorkspaceError(f"another voxcurate command{who} is writing to this workspace")


def _take(folder: Path, *, has_flock: bool) -> tuple[int, Holder]:
    """Our record and its number.

    Raises:
        WorkspaceError: the holder lives.
    """
    own = myself()
    while True:
        number, holder = newest(folder)
        if number and not (holder is not None and holder.released):
            _await_end(folder, number, holder, has_flock=has_flock)
        if not create(folder, number + 1, own):
            continue  # somebody was faster
        if newest(folder)[0] == number + 1:
            tidy(folder, number + 1)
            return number + 1, own
        (folder / f"{number + 1:08d}.json").unlink(missing_ok=True)  # of an old listing: too late


def _await_end(folder: Path, number: int, holder: Holder | None, *, has_flock: bool) -> None:
    """Return when a holder is dead, released the lock or was followed by another.

    Raises:
        WorkspaceError: it lives.
    """
    if holder is not None and holder.is_here:
        if has_flock or not is_alive(holder):
            return
        raise _held(holder)
    if holder is not None:
        log.warning(
            "waiting to see whether another command still runs; if it is silent, this one goes on",
            extra={"holder": holder.described(), "at most": f"{SILENCE_S:g} s"},
        )
    silent, first = 0.0, holder
    before = time.monotonic()
    while silent < SILENCE_S:
        time.sleep(LOOK_S)
        last, found = newest(folder)
        if last != number or (found is not None and found.released):
            return
        if first is None:
            first = found  # was being written
        elif found is not None and found.beat != first.beat:
            raise _held(found)
        now = time.monotonic()
        silent += min(now - before, 2 * LOOK_S)
        before = now


class _Heart:
    """Lets our record's count grow, until the lock is released or lost."""

    def __init__(self, folder: Path, number: int, own: Holder) -> None:
        self.lost: Holder | None = None
        self._folder, self._number, self._own = folder, number, own
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live, name="lock", daemon=True)

    def __enter__(self) -> "_Heart":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self.lost is None:
            with suppress(OSError):  # no disk left: the next one waits for `SILENCE_S`
                if not self._is_followed(*newest(self._folder)):
                    rewrite(self._folder, self._number, replace(self._own, released=True))

    def _live(self) -> None:
        while not self._over.wait(BEAT_S):
            try:
                number, holder = newest(self._folder)
                if self._is_followed(number, holder):
                    self._lose(holder)
                    continue
                self._own = replace(self._own, beat=self._own.beat + 1)
                rewrite(self._folder, self._number, self._own)
            except FileNotFoundError:  # removed by hand
                self._make_again()
            except OSError as error:  # file server away, disk full: tried again at the next beat
                log.warning("the lock's record cannot be written", extra={"why": error.strerror})

    def _is_followed(self, number: int, holder: Holder | None) -> bool:
        if number != self._number:
            return number > self._number
        return holder is not None and holder.token != self._own.token

    def _make_again(self) -> None:
        with suppress(OSError):  # tried again at the next beat
            self._folder.mkdir(exist_ok=True)
            create(self._folder, self._number, self._own)

    def _lose(self, holder: Holder | None) -> None:
        self.lost = holder or self._own
        log.error("the workspace was taken over", extra={"by": self.lost.described()})
        is_deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # a shell's `command &`
        number = signal.SIGTERM if is_deaf else signal.SIGINT
        signal.pthread_kill(threading.main_thread().ident or 0, number)


@contextmanager
def _ending_at_sigterm() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt, unless somebody handles it already."""
    own = threading.current_thread() is threading.main_thread()
    if not own or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _advisory(url: str, name: str, folder: Path) -> Iterator[None]:
    """PostgreSQL's lock of the session, which ends with the connection. The server is asked to
    notice within a minute when the holder's machine is gone."""
    import sqlalchemy as sa

    engine = sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True)
    try:
        with engine.connect() as connection:
            for setting in ("idle=30", "interval=10", "count=3"):
                connection.exec_driver_sql(f"SET tcp_keepalives_{setting}")
            ask = sa.text("SELECT pg_try_advisory_lock(hashtextextended(:name, 7041776))")
            got = connection.execute(ask, {"name": f"voxcurate {name}"}).scalar()
            connection.commit()  # the session keeps the lock; no transaction stays open
            if not got:
                raise _held(newest(folder)[1])
            yield
    except sa.exc.OperationalError as error:
        why = type(error.orig).__name__
        raise WorkspaceError(f"the catalog's server cannot be reached ({why})") from None
    finally:
        engine.dispose()
