"""What reading a report gave: findings, failures and what it cost."""

from dataclasses import dataclass, field

from voxcurate.errors import ModelReplyError
from voxcurate.protocols import Finding

NOT_ASKED = "not asked, for a broader question has no answer"
_PLACE = " [step "  # where in an error stands which request had it
_MOST_NAMED = 5  # questions; of more their number is told


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
    """One report read; `failed` says of each question without a valid answer what went wrong.

    `n_questions` is how many the questionnaire has.
    """

    findings: tuple[Finding, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)
    usage: Usage = Usage()
    n_questions: int = 0

    @property
    def error(self) -> str:
        """What went wrong, each cause once, then its questions; "" when nothing did.

        Of requests that failed alike the first is named, and of many questions their number.
        """
        causes: dict[str, list[str]] = {}
        places: dict[str, str] = {}
        for question, why in self.failed.items():
            cause, _, place = why.partition(_PLACE)
            causes.setdefault(cause, []).append(question)
            places.setdefault(cause, f"{_PLACE}{place}" if place else "")
        if len(causes) == 2 and NOT_ASKED in causes and len(self.failed) == self.n_questions:
            ((first, names),) = ((c, names) for c, names in causes.items() if c != NOT_ASKED)
            causes = {first: [*names, *causes[NOT_ASKED]]}
        told = sorted(causes.items(), key=lambda item: item[0] == NOT_ASKED)
        return "; ".join(f"{cause}{places[cause]}: {self._named(names)}" for cause, names in told)

    def _named(self, names: list[str]) -> str:
        if len(names) <= _MOST_NAMED:
            return ", ".join(names)
        return f"{'all ' if len(names) == self.n_questions else ''}{len(names)} questions"


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
