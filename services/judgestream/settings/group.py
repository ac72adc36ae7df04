"""The base of every group of settings."""

from pydantic import BaseModel, ConfigDict


class Group(BaseModel):
    # pydantic's own error messages would quote the input, and so a password
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
