"""Check that unpickling a `pytorch_model*.bin` would only build tensors. Nothing is unpickled here.

A file written by `torch.save` is a zip archive: its `data.pkl` is a pickle and its other members are raw
numbers. A pickle is a program that may import and call anything. This module reads it as a list of
instructions and refuses every name that plain tensors do not need, as torch's weights-only loader does.
"""

import pickletools  # reads instructions, executes none  # nosec B403
import zipfile
from pathlib import Path

from judgestream.checkpoints.files import opened

MAX_PICKLE = 64 << 20
_MAX_MEMBERS = 100_000

_KINDS = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
ALLOWED = frozenset(
    (
        "collections OrderedDict",
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_parameter",
        "torch Size",
        "torch.storage UntypedStorage",
        *(f"torch {kind}Storage" for kind in _KINDS),
    )
)
_CALLS_BY_NAME = frozenset(("INST", "OBJ", "EXT1", "EXT2", "EXT4", "NEWOBJ_EX"))


def check_pickle(folder: Path, name: str) -> frozenset[str]:
    """The texts in the file's pickle: the names of its tensors are among them.

    Raises:
        ValueError: not an archive of `torch.save`, or unpickling would call other functions.
        OSError: it cannot be opened.
    """
    with opened(folder, name) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return _check_archive(archive)
        except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
            raise ValueError(
                f"is not an archive of torch.save ({error}); save the weights as safetensors"
            ) from error


def _check_archive(archive: zipfile.ZipFile) -> frozenset[str]:
    members = archive.infolist()
    if len(members) > _MAX_MEMBERS:
        raise ValueError(f"has {len(members)} members; save the weights as safetensors")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError(
            "is compressed, which torch.save never does; save the weights as safetensors"
        )
    pickles = [member for member in members if member.filename.rpartition("/")[2] == "data.pkl"]
    if len(pickles) != 1 or pickles[0].file_size > MAX_PICKLE:
        raise ValueError(
            "does not have exactly one data.pkl of a plausible size; save the weights as safetensors"
        )
    with archive.open(pickles[0]) as pickle:
        return _texts(pickle.read(MAX_PICKLE + 1))


def _texts(pickle: bytes) -> frozenset[str]:
    """Raises ValueError for an instruction with a name that tensors do not need."""
    texts: list[str] = []
    try:
        for code, argument, _ in pickletools.genops(pickle):
            if code.name in ("BINUNICODE", "SHORT_BINUNICODE", "UNICODE", "BINUNICODE8"):
                texts.append(str(argument))
            elif code.name == "STACK_GLOBAL":  # torch.save's protocol 2 does not use it
                raise ValueError("calls functions in a way that torch.save never does")
            elif code.name == "GLOBAL" and argument not in ALLOWED:
                called = str(argument)[:80].replace(" ", ".")
                raise ValueError(
                    f"would call {called!r} when it is unpickled; do not use this checkpoint"
                )
            elif code.name in _CALLS_BY_NAME:
                raise ValueError("would call functions other than torch's own")
    except (ValueError, IndexError, KeyError, UnicodeError) as error:
        raise ValueError(f"its pickle {error}") from error
    return frozenset(texts)
