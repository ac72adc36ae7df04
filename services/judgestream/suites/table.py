"""The table of suites. A new one is a file beside this with its `SUITE`, and a row here."""

from collections.abc import Mapping
from types import MappingProxyType

from judgestream.suites import (
    arena,
    autoj,
    calc_adjudication,
    humans_or_llms,
    judgebench,
    judgelm,
    judgelm_files,
    judgerank,
    judging_the_judges,
    mj_bench,
    mj_bench_single,
    mm_vet,
    mt_bench,
    mt_bench_single,
    pandalm,
    sos_bench,
)
from judgestream.suites.base import Suite

SUITES: Mapping[str, Suite] = MappingProxyType(
    {
        one.name: one
        for one in (
            judgelm.SUITE,
            judgelm_files.SUITE,
            mm_vet.SUITE,
            mt_bench.SUITE,
            mt_bench_single.SUITE,
            arena.SUITE,
            judgebench.SUITE,
            judgerank.SUITE,
            sos_bench.SUITE,
            calc_adjudication.SUITE,
            mj_bench.SUITE,
            mj_bench_single.SUITE,
            judging_the_judges.SUITE,
            humans_or_llms.SUITE,
            autoj.SUITE,
            pandalm.SUITE,
        )
    }
)
