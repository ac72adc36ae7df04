"""Groups of graded answers, and the file format that they are kept in (JSON Lines, also gzipped)."""

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import IO, Literal, cast

from judgestream.core.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True, slots=True)
class Graded:
    """An answer and its grade in log-odds: of two answers to the same question, the first is better with
    probability 1 / (1 + exp(second - first)). `system` is the model that gave it, "" if unknown."""

    text: str
    grade: float
    system: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """A question and its graded answers. `source` names the data set.

    reference   a correct answer, if there is one
    comparable  whether grades of different questions compare, too
    """

    id: str
    source: str
    question: str
    answers: tuple[Graded, ...]
    reference: str | None = None
    comparable: bool = False


def write_groups(path: Path, groups: Iterable[Group]) -> int:
    """Write the groups, one JSON object a line; returns their number. `.gz` is compressed, reproducibly."""
    count = 0
    with _opened(path, "wb") as file:
        for group in groups:
            file.write(json.dumps(asdict(group), ensure_ascii=False).encode() + b"\n")
            count += 1
    return count


def read_groups(paths: Sequence[Path]) -> list[Group]:
    """The groups of all files, in order.

    Raises:
        ConfigurationError: a line is not a group; the message names file and line.
    """
    return [group for path in paths for group in _read(path)]


def _read(path: Path) -> Iterator[Group]:
    try:
        with _opened(path, "rb") as file:
            for number, line in enumerate(file, 1):
                yield _group(line, f"{path}, line {number}")
    except OSError as error:
        raise ConfigurationError(f"preferences {path} cannot be read: {error}") from error


def _group(line: bytes, place: str) -> Group:
    try:
        values = json.loads(line)
        answers = tuple(Graded(**answer) for answer in values.pop("answers"))
        group = Group(answers=answers, **values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(
            f"{place} is not a group of graded answers: {error}; see `judgestream data preferences`"
        ) from error
    if not all(isfinite(answer.grade) for answer in answers):
        raise ConfigurationError(f"{place}: grades must be finite numbers")
    return group


@contextmanager
def _opened(path: Path, mode: Literal["rb", "wb"]) -> Iterator[IO[bytes]]:
    with path.open(mode) as file:
        if path.suffix != ".gz":
            yield file
            return
        # no name and no time in the header: the same groups give the same bytes
        with gzip.GzipFile("", mode, fileobj=file, mtime=0) as packed:
            yield cast(IO[bytes], packed)
