"""Why a file is not written."""

from voxcurate.errors import CurationError


class RefusedError(CurationError):
    """A file cannot be de-identified safely; the message holds nothing of it."""


class RiskyError(RefusedError):
    """A file could be written, but its pixels or payload may show who it is."""
