"""The arithmetic that a checkpoint can be served in. No torch."""

from enum import StrEnum


class Dtype(StrEnum):
    """The arithmetic of a judge.

    AUTO     as the weights are stored; float32 on a CPU
    FLOAT8   loaded in bfloat16, and refused at load unless 99 % of the verdicts do not change. Only our own
             engine has it
    """

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FLOAT8 = "float8"
