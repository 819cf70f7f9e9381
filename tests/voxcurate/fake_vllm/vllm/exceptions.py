"""The errors of vllm 0.32; those of a request are no ValueError."""

from typing import Any


class VLLMError(Exception):
    """Base of all."""


class VLLMClientError(VLLMError):
    """The request's fault."""


class VLLMServerError(VLLMError):
    """The engine's fault."""


class VLLMValidationError(VLLMClientError):
    """A request that is not taken; its text quotes the value."""

    def __init__(self, message: str, *, parameter: str | None = None, value: Any = None) -> None:
        super().__init__(f"{message} (value={value})")
        self.parameter, self.value = parameter, value
