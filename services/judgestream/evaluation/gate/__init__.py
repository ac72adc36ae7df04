"""The evidence gate: may a new judge replace the one in use?

Both judge the same items. `Evidence` collects the paired items of one comparison in any order; `decide`
holds the evidence against a `Policy` and says better, not worse, worse or undecided, with a finding for
every guard. It may be asked after every item: the tests behind it are valid at all times.

To add a guard, add a row to `guards.GUARDS` and a rule to the policy.
"""

from judgestream.evaluation.gate.decision import Comparison, Decision, Finding, Outcome, decide
from judgestream.evaluation.gate.evidence import Evidence, Tally
from judgestream.evaluation.gate.guards import GUARDS, Guard
from judgestream.evaluation.gate.items import Judgement, PairedItem, paired_item
from judgestream.evaluation.gate.policy import Automatic, Policy, Rule
from judgestream.evaluation.gate.report import as_data, figures, from_data

__all__ = [
    "GUARDS",
    "Automatic",
    "Comparison",
    "Decision",
    "Evidence",
    "Finding",
    "Guard",
    "Judgement",
    "Outcome",
    "PairedItem",
    "Policy",
    "Rule",
    "Tally",
    "as_data",
    "decide",
    "figures",
    "from_data",
    "paired_item",
]
