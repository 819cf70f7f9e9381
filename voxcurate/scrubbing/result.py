"""What scrubbing gives back."""

from dataclasses import dataclass

from voxcurate.scrubbing.hits import Hit


@dataclass(frozen=True)
class Scrubbed:
    """Scrubbed text with what was found: kinds and spans in the *source* text, never a value.

    All of it was replaced, unless the config leaves doubtful hits.
    """

    text: str
    replacements: tuple[Hit, ...]

    @property
    def review(self) -> tuple[Hit, ...]:
        """The doubtful ones, for a person to look at."""
        return tuple(hit for hit in self.replacements if not hit.sure)
