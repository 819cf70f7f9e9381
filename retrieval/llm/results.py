"""What reading a report gave: findings, failures and what it cost."""

from dataclasses import dataclass, field

from voxcurate.errors import ModelReplyError
from voxcurate.protocols import Finding


@dataclass(frozen=True)
class Usage:
    """What was spent: `seconds` are the model's, summed; `price` in the unit of the prices.

    `requests` counts conversations put to the engine, `cached` answers that none was needed for.
    """

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    price: float = 0.0
    cached: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.requests + other.requests,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.seconds + other.seconds,
            self.price + other.price,
            self.cached + other.cached,
        )


@dataclass(frozen=True)
class Reading:
    """One report read; `failed` says of each question without a valid answer what went wrong."""

    findings: tuple[Finding, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)
    usage: Usage = Usage()

    @property
    def error(self) -> str:
        """What went wrong, each cause once with its questions; "" when nothing did."""
        causes: dict[str, list[str]] = {}
        for question, why in self.failed.items():
            causes.setdefault(why, []).append(question)
        return "; ".join(f"{', '.join(names)}: {why}" for why, names in causes.items())


class IncompleteReadingError(ModelReplyError):
    """Some questions got no valid answer; the others' are in `reading`."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading.error)
        self.reading = reading

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.reading,))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the other questions got."""
        return self.reading.findings
