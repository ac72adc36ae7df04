"""The arithmetic that a checkpoint can be served in. No torch."""

from enum import StrEnum

from judgestream.core.errors import ConfigurationError


class Dtype(StrEnum):
    """The arithmetic of a judge.

    AUTO     as the weights are stored; float32 on a CPU
    FLOAT8   loaded in bfloat16, and refused at load unless 99 % of the verdicts do not change. Only our own
             engine has it
    INT8     the same for CPUs; loaded in bfloat16 where the CPU multiplies it itself, else in float32
    """

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FLOAT8 = "float8"
    INT8 = "int8"


QUANTISED = (Dtype.FLOAT8, Dtype.INT8)
"""Only our own engine has these; a release with one of them is checked at load."""


def check_place(dtype: str, *, gpu: bool, compiled: bool) -> None:
    """
    Raises:
        ConfigurationError: int8 on a GPU, or under torch.compile.
    """
    if dtype == Dtype.INT8 and (gpu or compiled):
        raise ConfigurationError(
            "int8 is for CPUs, without torch.compile: use --device cpu and leave --compile out, or choose"
            " another --dtype"
        )
