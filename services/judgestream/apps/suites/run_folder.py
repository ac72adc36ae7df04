"""The folder of one run: what was run, and every verdict as soon as it is known.

`run.json` says what was run, `verdicts.jsonl` is the journal. Both outlive a crash: a run that is started
again with the same folder asks only for what the journal lacks.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import IO, Any

from google.protobuf import json_format

from judgestream.adapters.files.writing import text_output
from judgestream.contracts.codecs.verdicts import verdict_from_message, verdict_to_message
from judgestream.core.errors import ConfigurationError
from judgestream.core.types import Verdict
from judgestream.suites.comparing import Values
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

RUN, JOURNAL = "run.json", "verdicts.jsonl"
REPORT, PAGE, VALUES = "report.json", "report.html", "values.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """What makes two runs the same: verdicts of one are verdicts of the other."""

    suite: str
    data: str
    seed: int
    release: str


class RunFolder:
    """Open as a context; the journal is closed at its end."""

    def __init__(self, path: Path, identity: Identity) -> None:
        """Make the folder, or continue in it.

        Raises:
            ConfigurationError: it holds a different run, or cannot be written.
        """
        self.path = path
        self._identity = identity
        try:
            path.mkdir(parents=True, exist_ok=True)
            before = json.loads((path / RUN).read_text(encoding="utf-8"))
        except FileNotFoundError:
            before = None
        except (OSError, ValueError) as exc:
            raise ConfigurationError(f"{path / RUN} cannot be read: {exc}") from exc
        if before is not None and not isinstance(before, dict):
            raise ConfigurationError(f"{path / RUN} is not a run: remove it, or name another --out")
        if before is not None:
            self._require_same(before)
        self._started_at = before.get("started_at") if before is not None else None
        self._journal: IO[str] | None = None

    def _require_same(self, before: Mapping[str, object]) -> None:
        for name, value in asdict(self._identity).items():
            if before.get(name) != value:
                raise ConfigurationError(
                    f"{self.path} holds a run with {name} {before.get(name)!s:.60}, not {value!s:.60}: name"
                    " another folder with --out, or leave it out"
                )

    def describe(self, facts: Mapping[str, object]) -> None:
        """Write what is run. A run that continues keeps its start."""
        found = asdict(self._identity) | dict(facts)
        if self._started_at is not None:
            found["started_at"] = self._started_at
        with text_output(self.path / RUN) as file:
            json.dump(found, file, indent=2)
            file.write("\n")

    def journal(self) -> Iterator[Verdict]:
        """The verdicts so far. A last line that a crash cut short is left out; its request is asked again.

        Raises:
            ConfigurationError: another line is not a verdict.
        """
        path = self.path / JOURNAL
        if not path.exists():
            return
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                try:
                    message = json_format.Parse(line, VerdictMessage(), ignore_unknown_fields=True)
                    yield verdict_from_message(message)
                except (json_format.ParseError, ValueError) as exc:
                    if not line.endswith("\n"):
                        return
                    raise ConfigurationError(
                        f"{path}, line {number} is not a verdict ({exc!s:.200}): remove the line; its request"
                        " is judged again"
                    ) from exc

    def add(self, verdict: Verdict) -> None:
        """Append one verdict; it survives a crash of this process."""
        if self._journal is None:
            self._journal = self._opened()
        text = json_format.MessageToJson(
            verdict_to_message(verdict), indent=None, ensure_ascii=False
        )
        self._journal.write(text + "\n")
        self._journal.flush()

    def _opened(self) -> IO[str]:
        """The journal, behind its last whole line."""
        path = self.path / JOURNAL
        if path.exists():
            with path.open("rb+") as file:
                raw = file.read()
                file.truncate(raw.rfind(b"\n") + 1)
        return path.open("a", encoding="utf-8")

    def write(self, name: str, text: str) -> Path:
        """Write a file of the folder, whole or not at all."""
        with text_output(self.path / name) as file:
            file.write(text)
        return self.path / name

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, kw_only=True, slots=True)
class RunValues:
    """A finished run: what was run, and each item's prompt and value."""

    facts: Mapping[str, object]
    values: Values


def read_values(path: Path) -> RunValues:
    """The values of a finished run, as `reporting.write` wrote them.

    Raises:
        ConfigurationError: the folder has none, or they are damaged.
    """
    try:
        found = json.loads((path / VALUES).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path} has no {VALUES}: give the folder of a run, as `judgestream suite run` prints it"
        ) from None
    except (OSError, ValueError, RecursionError) as exc:
        raise ConfigurationError(f"{path / VALUES} cannot be read: {exc!s:.200}") from exc
    values = found.pop("values", None) if isinstance(found, dict) else None
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path / VALUES} is not a run's: run the suite again")
    try:
        return RunValues(facts=found, values={key: _value(one) for key, one in values.items()})
    except (ValueError, TypeError, OverflowError) as exc:
        raise ConfigurationError(f"{path / VALUES} is damaged: run the suite again") from exc


def _value(pair: Any) -> tuple[str, float]:
    cluster, value = pair
    if isinstance(value, str | bool) or not isfinite(value):
        raise ValueError
    return str(cluster), float(value)
