"""The table of input formats: JSON records -> requests with the labels that come with them.

A new format is a file with its converter and a row in `FORMATS`. Our own schema is a row too, added by
whoever may import the protobuf contracts (`apps.cli.input_files`).
"""

from collections.abc import Mapping
from types import MappingProxyType

from judgestream.core.formats.base import Format
from judgestream.core.formats.judgelm import JUDGELM
from judgestream.core.formats.openai import OPENAI
from judgestream.core.formats.pandalm import PANDALM
from judgestream.core.formats.trl import TRL

FORMATS: Mapping[str, Format] = MappingProxyType(
    {one.name: one for one in (JUDGELM, PANDALM, TRL, OPENAI)}
)


def detect(values: Mapping[str, object], formats: Mapping[str, Format] = FORMATS) -> Format | None:
    """The first format of the table whose fields the record has; None when there is none."""
    return next((one for one in formats.values() if one.recognises(values)), None)
