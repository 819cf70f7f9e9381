"""What a page is made of: sections of paragraphs, tables, charts and picture cards."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class Text:
    """A paragraph; `mood` colours it: plain, note, good or warn."""

    kind: ClassVar[str] = "text"
    text: str
    mood: str = ""


@dataclass(frozen=True)
class Listing:
    """A bulleted list."""

    kind: ClassVar[str] = "listing"
    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table; columns named in `numeric` are set to the right, their heads upright if the table
    is a wide one of small numbers (`is_upright`). `note` stands below it."""

    kind: ClassVar[str] = "table"
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""
    numeric: frozenset[int] = frozenset()
    note: str = ""
    is_folded: bool = False
    is_upright: bool = False


@dataclass(frozen=True)
class Chart:
    """An inline SVG with its alternative text."""

    kind: ClassVar[str] = "chart"
    svg: str
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI; an empty `uri` shows `missing`, the reason, in its place."""

    uri: str
    alt: str
    caption: str = ""
    missing: str = ""


@dataclass(frozen=True)
class Card:
    """Pictures that belong together, with a title, lines about them, and facts with names."""

    title: str
    pictures: Sequence[Picture]
    lines: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Gallery:
    """Cards in a grid; `more` says what was left out."""

    kind: ClassVar[str] = "gallery"
    cards: Sequence[Card]
    more: str = ""


def ml(volume: float) -> str:
    """A volume in mL as people read it: ``"0.0556"``, ``"63.6"``, ``"9,810"``."""
    return f"{volume:,.0f}" if volume >= 100 else f"{volume:.3g}"


Block = Text | Listing | Table | Chart | Gallery


@dataclass(frozen=True)
class Section:
    """A titled part of the page. Without blocks it says why it is empty. `link`: a file of the
    round's folder that tells more."""

    id: str
    title: str
    blocks: Sequence[Block] = ()
    empty: str = ""
    about: str = field(default="")
    link: str = ""
