"""The report of a run, in its folder: JSON, a page, and the values that two runs are compared by."""

import json
from collections.abc import Mapping

from judgestream.apps.suites.page import page
from judgestream.apps.suites.run_folder import PAGE, REPORT, VALUES, RunFolder
from judgestream.apps.suites.running import Finished
from judgestream.suites.base import Choices, Suite
from judgestream.suites.report import Report


def write(
    folder: RunFolder,
    suite: Suite,
    choices: Choices,
    finished: Finished,
    facts: Mapping[str, object],
) -> Report:
    """Compute the report and write its files. Returns it."""
    report = suite.report(finished.judged, choices)
    folder.write(
        REPORT,
        json.dumps({"run": dict(facts), **report.as_json()}, indent=2, ensure_ascii=False) + "\n",
    )
    folder.write(PAGE, page(suite.title, facts, report))
    clusters = {one.item.key: one.item.cluster for one in finished.judged}
    values = suite.values(finished.judged, choices)
    folder.write(
        VALUES,
        json.dumps(
            dict(facts)
            | {"values": {key: [clusters[key], value] for key, value in values.items()}},
            ensure_ascii=False,
        )
        + "\n",
    )
    return report
