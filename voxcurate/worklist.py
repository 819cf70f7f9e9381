"""The items of a stage and their fingerprints, in little memory however many there are.

A dictionary with a key, a fingerprint and a place for each of half a million items (25,362 scans x
19 models) takes some 400 MB. Here an item costs 29 bytes: three hashes of 64 bits, its place in
their order, and whether it is done; its names are asked of the item itself.
"""

from collections.abc import Callable, ItemsView, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from voxcurate.ids import content_id

DIGITS = 16  # of a fingerprint: 64 bits
Place = tuple[str, str, str]  # subject, variant, fingerprint
Flags = npt.NDArray[np.bool_]  # of each item


@dataclass(frozen=True, slots=True)
class Item:
    """A unit of work: `subject` a case, pair, report or shard; `variant` a class, model or empty.

    `inputs` is hashed into the fingerprint; `payload` goes to the worker: the plain data itself, or
    a function that makes it when the executor takes the task, so that few payloads are in memory.
    `again`: what it made is no longer there; it is done even if the ledger calls it done.
    `cost`: expected seconds; 0: as long as others of its stage took.
    `single`: two of it must not run at once, not even to see which is faster: it keeps files of its
    own from which it goes on.
    """

    subject: str
    variant: str = ""
    inputs: Any = None
    payload: Any = None
    again: bool = False
    cost: float = 0.0
    single: bool = False

    @property
    def key(self) -> str:
        """Name of the item in outcomes and messages."""
        return item_key(self.subject, self.variant)


class LazyItems(Sequence[Item]):
    """Items that are made whenever they are looked at.

    Args:
        n: how many.
        make: the item of a number, always an equal one.
    """

    def __init__(self, n: int, make: Callable[[int], Item]) -> None:
        self._numbers, self._make = range(n), make

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self._make(number) for number in self._numbers[index]]
        return self._make(self._numbers[index])


def item_key(subject: str, variant: str) -> str:
    """Name of an item in outcomes and messages."""
    return f"{subject}/{variant}" if variant else subject


def fingerprint(stage: str, item: Item, version: str, config: Any) -> str:
    """The hash that decides whether an item was done already."""
    return content_id(
        stage, version, item.subject, item.variant, item.inputs, config, digits=DIGITS
    )


class Worklist:
    """Items by number and by key, with their fingerprints.

    Args:
        items: in the order of the results; no two of one key.
        mark: an item's fingerprint, `DIGITS` hexadecimal digits.

    Raises:
        ValueError: two items have one key.
    """

    def __init__(self, items: Sequence[Item], mark: Callable[[Item], str]) -> None:
        n = len(items)
        self.items = items
        self._marks = np.empty(n, np.uint64)
        keys, subjects = np.empty(n, np.int64), np.empty(n, np.int64)
        for number, item in enumerate(items):
            self._marks[number] = int(mark(item), 16)
            keys[number], subjects[number] = hash(item.key), hash(item.subject)
        self._order = np.argsort(keys, kind="stable").astype(np.uint32)
        self._keys = keys[self._order]
        self._subjects = subjects
        self._check()

    def _check(self) -> None:
        for at in np.flatnonzero(self._keys[1:] == self._keys[:-1]):
            key = self.items[int(self._order[at])].key
            if sum(self.items[number].key == key for number in self._alike(hash(key))) > 1:
                raise ValueError(f"two items called {key}")

    def __len__(self) -> int:
        return len(self.items)

    def mark(self, number: int) -> str:
        """An item's fingerprint."""
        return f"{int(self._marks[number]):0{DIGITS}x}"

    def place(self, number: int) -> Place:
        """Where the ledger has an item."""
        item = self.items[number]
        return item.subject, item.variant, self.mark(number)

    def number(self, key: str) -> int | None:
        """The number of the item with a key; None: there is none."""
        found = (n for n in self._alike(hash(key)) if self.items[n].key == key)
        return next(found, None)

    def _alike(self, hashed: int) -> list[int]:
        first = int(np.searchsorted(self._keys, hashed, "left"))
        last = int(np.searchsorted(self._keys, hashed, "right"))
        return [int(number) for number in self._order[first:last]]

    def parts(self, size: int) -> Iterator[list[int]]:
        """Numbers of all items, about `size` at a time (at least), those of a subject together."""
        order = np.argsort(self._subjects, kind="stable")
        sorted_subjects = self._subjects[order]
        start = 0
        while start < len(order):
            stop = min(start + size, len(order))
            stop = int(np.searchsorted(sorted_subjects, sorted_subjects[stop - 1], "right"))
            yield [int(number) for number in order[start:stop]]
            start = stop


class Places(Mapping[str, Place]):
    """Where the ledger has the items of a list, by their keys, in their order.

    Args:
        work: the items.
        without: numbers of items that are left out.
    """

    def __init__(self, work: Worklist, without: frozenset[int] = frozenset()) -> None:
        self._work, self._without = work, without

    def __len__(self) -> int:
        return len(self._work) - len(self._without)

    def __iter__(self) -> Iterator[str]:
        return (item.key for n, item in enumerate(self._work.items) if n not in self._without)

    def __getitem__(self, key: str) -> Place:
        number = self._work.number(key)
        if number is None or number in self._without:
            raise KeyError(key)
        return self._work.place(number)

    def items(self) -> ItemsView[str, Place]:
        """Keys and places, none of them looked up."""
        return _InOrder(self)

    def in_order(self) -> Iterator[tuple[str, Place]]:
        """The same, one after the other."""
        for number in range(len(self._work)):
            if number not in self._without:
                place = self._work.place(number)
                yield item_key(*place[:2]), place


class _InOrder(ItemsView[str, Place]):
    _mapping: Places

    def __iter__(self) -> Iterator[tuple[str, Place]]:
        return self._mapping.in_order()


class Marks(Mapping[str, str]):
    """The fingerprint of each item by its key."""

    def __init__(self, work: Worklist) -> None:
        self._work = work

    def __len__(self) -> int:
        return len(self._work)

    def __iter__(self) -> Iterator[str]:
        return (item.key for item in self._work.items)

    def __getitem__(self, key: str) -> str:
        number = self._work.number(key)
        if number is None:
            raise KeyError(key)
        return self._work.mark(number)


def flags(n: int) -> Flags:
    """So many False."""
    return np.zeros(n, np.bool_)
