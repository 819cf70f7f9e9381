"""When to ask a server again, how long to wait before, and when to give it up."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from voxcurate.protocols import Reply

sleep: Callable[[float], None] = time.sleep  # tests put their own here
GIVEN_UP = "server given up"
_AGAIN = frozenset({408, 409, 425, 429})
_ALL_ALIKE = frozenset({401, 402, 403, 404, 405, 407})
_FORMAT_REFUSED = frozenset({400, 404, 415, 422, 501})


def is_passing(status: int | None) -> bool:
    """Whether a failure may pass: none was told (the connection broke), 408, 409, 425, 429, 5xx."""
    return status is None or status in _AGAIN or (status >= 500 and status != 501)


def is_of_the_server(status: int | None) -> bool:
    """Whether the next request would fail too; a 400 or 413 is the fault of one prompt."""
    return is_passing(status) or status in _ALL_ALIKE


def may_refuse_format(status: int | None) -> bool:
    """Whether this may be how a server says that it knows no ``response_format``."""
    return status in _FORMAT_REFUSED


def was_sent(reply: Reply) -> bool:
    """Whether the request went out; it did not where the server had been given up."""
    return not reply.error.startswith(GIVEN_UP)


@dataclass(frozen=True)
class Backoff:
    """Waits that double from `first_s` up to `longest_s`, each shortened by chance by up to half.

    Chance keeps many clients of a server that came back from asking all at once; no answer hangs
    on it.
    """

    first_s: float = 0.5
    longest_s: float = 30.0

    def wait(self, failures: int, asked_for: float | None = None) -> None:
        """Wait after the n-th failure, or as long as the server asked for, within `longest_s`."""
        if asked_for is not None:
            sleep(min(max(asked_for, 0.0), self.longest_s))
            return
        whole = min(self.first_s * 2.0 ** (failures - 1), self.longest_s)
        sleep(whole * random.uniform(0.5, 1.0))


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that ``Retry-After`` asks for (a number or a date); None without a readable one."""
    value = headers.get("retry-after", "")
    try:
        return max(0.0, float(value))  # in this order: 0 for "nan"
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)


class Outage:
    """Waits for a server that has replied before and is gone now, for all threads together.

    Args:
        longest_s: from the first refused connection on; 0: no wait.
    """

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._has_replied = False
        self._since: float | None = None
        self._lock = threading.Lock()

    def wait(self, longest_pause_s: float) -> bool:
        """Pause and say True, while there is hope; the pauses grow with the outage."""
        with self._lock:
            if not self._has_replied or not self._longest_s:
                return False
            now = time.monotonic()
            self._since = now if self._since is None else self._since
            gone = now - self._since
        if gone >= self._longest_s:
            return False
        sleep(min(max(1.0, gone / 4), longest_pause_s, self._longest_s))
        return True

    def over(self) -> None:
        """A reply came."""
        with self._lock:
            self._has_replied, self._since = True, None


class Company:
    """Requests side by side, and those alone that may have taken a server down: it costs the
    others nothing when they do it again."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._together = 0
        self._waiting = 0  # to be alone; no others begin meanwhile
        self._has_one_alone = False

    @contextmanager
    def kept(self, *, alone: bool) -> Iterator[None]:
        """Held while a request is under way."""
        with self._changed:
            if alone:
                self._waiting += 1
                self._changed.wait_for(lambda: not (self._together or self._has_one_alone))
                self._waiting -= 1
                self._has_one_alone = True
            else:
                self._changed.wait_for(lambda: not (self._waiting or self._has_one_alone))
                self._together += 1
        try:
            yield
        finally:
            with self._changed:
                if alone:
                    self._has_one_alone = False
                else:
                    self._together -= 1
                self._changed.notify_all()


class Breaker:
    """Opens after so many requests in a row got no reply; a dead server then costs no more time.

    It stays open: what was not asked is asked by the next run.

    Args:
        limit: requests without a reply; 0: never open.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._failures = 0
        self._has_replied = False
        self._last = ""
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether the server is given up."""
        return bool(self._limit) and self._failures >= self._limit

    @property
    def why(self) -> str:
        """Why it is, for those that are not asked."""
        return f"{GIVEN_UP} after {self._limit} requests in a row without a reply ({self._last})"

    def replied(self) -> None:
        """A request got its reply: the count goes back, unless the server is given up."""
        with self._lock:
            self._has_replied = True
            if not self.is_open:
                self._failures = 0

    def failed(self, status: int | None, kind: str) -> None:
        """Count a request without a reply.

        One that the server refuses is the fault of its prompt where others got replies, and then
        not counted; a server that has refused all so far will refuse the rest too.

        Args:
            status: of the response; None: there was none.
            kind: what went wrong, in words.
        """
        with self._lock:
            is_counted = is_of_the_server(status) or not self._has_replied
            if is_counted and not self.is_open:
                self._failures += 1
                self._last = kind
