"""Errors that a user can cause or mend.

Everything a user can fix raises a subclass of `CurationError`; whatever else escapes is a bug of
ours.
A message names the wanted and the found value and never a patient identifier or a source path:
inside a
batch it says the case id and the role of the file ("ct", "mask liver").
"""


class CurationError(Exception):
    """Base of all errors that a user can cause or mend.

    Args:
        message: what was found and what was wanted.
        case_id: the case it happened to, when there is one.
    """

    def __init__(self, message: str, *, case_id: str | None = None) -> None:
        super().__init__(message)
        self.case_id = case_id

    def __reduce__(
        self,
    ) -> tuple[object, ...]:  # keyword arguments survive the trip between processes
        return (_rebuild, (type(self), str(self), self.case_id))


def _rebuild(kind: type[CurationError], message: str, case_id: str | None) -> CurationError:
    return kind(message, case_id=case_id)


class ConfigError(CurationError):
    """A configuration value, file or option is wrong."""


class WorkspaceError(CurationError):
    """There is no workspace here, or it cannot be used."""


class GeometryError(CurationError):
    """Shapes, affines or axes do not fit together."""


class VolumeReadError(CurationError):
    """A file cannot be read as a volume."""


class SourceError(CurationError):
    """A folder of data cannot be understood as a source."""


class CatalogError(CurationError):
    """The catalog refuses a change, or holds something it should not."""


class ModelReplyError(CurationError):
    """A language model's reply does not fit the wanted schema."""


class TrainingError(CurationError):
    """A model cannot be trained on what there is."""


class PredictionError(CurationError):
    """A model cannot predict a scan, or gives something that is no prediction of it."""


class ReviewError(CurationError):
    """What people put into the review folder cannot be used."""


class ItemTimeoutError(CurationError):
    """An item took longer than its time limit."""


class WorkerCrashError(CurationError):
    """The process that worked on an item died."""


class ClusterError(CurationError):
    """A scheduler refuses jobs, or cannot be reached."""


class JobRefusedError(ClusterError):
    """A scheduler will never run such a job: asking again does not help."""
