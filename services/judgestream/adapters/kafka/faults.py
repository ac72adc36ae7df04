"""Reasons why bytes of a partition cannot be read."""

from enum import StrEnum


class Fault(StrEnum):
    """Why a batch, or one record of it, cannot be read."""

    BAD_CHECKSUM = "bad_checksum"
    UNKNOWN_CODEC = "unknown_codec"
    UNKNOWN_FORMAT = "unknown_format"
    TOO_LARGE = "too_large"
    CORRUPT = "corrupt"


class Faulty(Exception):
    """A batch, or a value in it, that cannot be read. Does not leave `batches.readable`."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault


def describe(exc: Exception) -> str:
    """An exception in one line, for `detail`."""
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
