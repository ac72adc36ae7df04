"""What a dry run says that requests would take."""

from dataclasses import replace
from pathlib import Path

import pytest

from judgestream.apps.suites.judge import JudgeFacts, estimate
from judgestream.apps.suites.loading import load_files
from judgestream.core.costs import Prices
from judgestream.core.templates import TEMPLATES
from judgestream.suites.judgerank import SUITE
from tests.suites import bright

PRICED = JudgeFacts(
    name="r",
    prices=Prices(per_million_in=1.0, per_million_out=2.0),
    template=TEMPLATES["judgelm-v1"],
)


def test_analyses_count_with_the_prompts_that_show_them(tmp_path: Path) -> None:
    items = list(SUITE.items(load_files(SUITE, bright.folder(tmp_path)).tables))
    requests = [item.request for item in items]
    found = estimate(requests, PRICED)
    assert found.prompts == len(requests) * (1 + 2 * bright.DEPTH)
    assert found.cost == pytest.approx(
        found.input_tokens * 1e-6 + found.output_tokens * 2e-6, rel=1e-3
    )
    alone = [replace(one, options=replace(one.options, explain=False)) for one in requests]
    without = estimate(alone, PRICED)
    assert without.prompts == len(requests) * bright.DEPTH
    # both analyses, of up to 256 tokens, stand in the last prompts
    assert found.input_tokens - without.input_tokens > len(requests) * bright.DEPTH * 2 * 256
