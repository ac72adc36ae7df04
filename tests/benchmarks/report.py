"""The report format of every benchmark: one JSON line per figure."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class Line:
    """`ratio` is ours / other (or the figure itself where there is no other side); `holds` compares it with
    `goal`: at least, or with `at_most` at most."""

    bench: str
    ours: float
    other: float | None
    unit: str
    ratio: float
    goal: float | None
    how: str
    at_most: bool = False

    def show(self) -> None:
        fields = asdict(self)
        at_most = fields.pop("at_most")
        how = fields.pop("how")
        if self.goal is None:
            holds = None
        else:
            holds = self.ratio <= self.goal if at_most else self.ratio >= self.goal
        print(json.dumps({**fields, "holds": holds, "how": how}), flush=True)
