"""What `judgestream agreement` writes, and which options it refuses before it asks any server."""

import json

import pytest
from typer.testing import CliRunner

from judgestream.apps.cli import agreement_view as view
from judgestream.apps.cli import main
from judgestream.apps.cli.agreement import _gate
from judgestream.core.preference import Preference
from judgestream.core.types import Label
from judgestream.evaluation.label_join import ReleaseAgreement, join, paired
from judgestream.evaluation.labels import Ballots
from judgestream.evaluation.order_rules import OrderRule
from judgestream.evaluation.scored_verdict import ScoredVerdict
from judgestream.terminal.exit_codes import ExitCode
from tests.core.build import NOON

NAMES = [f"q{k}" for k in range(60)]


def ballots() -> Ballots:
    labels = [
        Label(
            label_id=name,
            request_id=name,
            annotator=annotator,
            labelled_at=NOON,
            winner="" if k % 20 == 0 else "ab"[k % 2],
            tie=k % 20 == 0,
        )
        for k, name in enumerate(NAMES)
        for annotator in ("human-1", "human-2")
    ]
    nobody = Label(label_id="l", request_id="q1", annotator="", labelled_at=NOON, winner="a")
    return Ballots([*labels, nobody, *labels[:1]])


def released(
    name: str, *, every: int = 5, rule: OrderRule = OrderRule.AVERAGED
) -> ReleaseAgreement:
    verdicts = [
        ScoredVerdict(
            request_id=request,
            release=name,
            template_id="judgelm-v1",
            candidates=("a", "b"),
            outcome=Preference((-1 if k % every == 0 else 1) * (1 if k % 2 == 0 else -1)),
            lean=Preference.TIE,
            orders=(Preference.FIRST, Preference.SECOND),
            chances={1: 0.7, 0: 0.1, -1: 0.2},
        )
        for k, request in enumerate(NAMES)
    ]
    return join(name, verdicts, ballots(), prompts={n: n[-1] for n in NAMES[:50]}, rule=rule)


@pytest.mark.parametrize("rule", list(OrderRule))
def test_every_line_fits_a_terminal_of_80_columns(
    rule: OrderRule, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "judgelm-7b-v1-0123456789abcdef"
    result = released(long, rule=rule)
    view.print_release(result)
    view.print_labels(ballots())
    names = (long, long)
    view.print_pair(names, paired(result, released("s", every=7, rule=rule))[0], (0, 0))
    written = capsys.readouterr().out.splitlines()
    assert [text for text in written if len(text) > 80] == []
    shown = "\n".join(written)
    for wanted in (
        "kappa",
        "Scott's pi",
        "accuracy without ties",
        "McNemar",
        "macro f1",
        "invalid",
    ):
        assert wanted in shown
    assert f"order rule {rule}" in shown
    assert ("inconsistent" in shown) is (rule is OrderRule.AUTO_J)


def test_the_json_carries_everything_and_is_json() -> None:
    result = released("r")
    shown = json.loads(json.dumps(view.as_json(result, ballots()), allow_nan=False))
    assert (shown["n"], shown["clusters"], shown["without_prompt"]) == (60, 20, 10)
    assert shown["classes"] == ["first", "tie", "second"]
    assert shown["labels"] == {
        "requests": 60,
        "annotators": ["human-1", "human-2"],
        "superseded": 0,
        "repeated": 1,
        "invalid": {"no_annotator": 1},
    }
    for name in (
        "accuracy",
        "accuracy_without_ties",
        "precision",
        "f1",
        "kappa",
        "scott_pi",
        "brier",
    ):
        assert {"value", "n", "clusters", "design_effect", "low", "high", "method"} <= shown[
            name
        ].keys()
        assert shown[name]["low"] <= shown[name]["value"] <= shown[name]["high"]
    assert shown["judgelm"]["classes"] == ["first", "tie", "second"]
    assert shown["position"]["flip_consistency"]["value"] == 1.0
    assert shown["calibration"]["if_calibrated"] > 0
    found, *alone = paired(result, released("s", every=7))
    pair = json.loads(json.dumps(view.pair_json(("r", "s"), found, (alone[0], alone[1]))))
    assert pair["compare"] == ["r", "s"]
    assert {"value", "low", "high"} <= pair["difference"].keys()
    assert (
        pair["only_first"] + pair["only_second"] + pair["both"] + pair["neither"] == pair["n"] == 60
    )
    nothing = view.pair_json(("r", "s"), None, (1, 2))
    assert (nothing["n"], nothing["only_second_judged"]) == (0, 2)


def test_nothing_to_show_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    empty = join("r", [], Ballots())
    view.print_release(empty)
    assert "compared 0" in capsys.readouterr().out
    json.dumps(view.as_json(empty, Ballots()), allow_nan=False)


def test_an_undefined_kappa_is_remarked() -> None:
    one = Label(label_id="l", request_id="q1", annotator="h", labelled_at=NOON, winner="a")
    verdict = ScoredVerdict(
        request_id="q1", release="r", candidates=("a", "b"), outcome=Preference.FIRST
    )
    assert any("kappa" in text for text in view.remarks(join("r", [verdict], Ballots([one]))))


def of_one_kind(outcomes: list[int], winners: str) -> ReleaseAgreement:
    """Verdicts with these outcomes, labelled "a" or "b"; each request has its own prompt."""
    names = [f"q{k}" for k in range(len(outcomes))]
    labels = [
        Label(label_id=name, request_id=name, annotator="h", labelled_at=NOON, winner=winner)
        for name, winner in zip(names, winners, strict=True)
    ]
    verdicts = [
        ScoredVerdict(
            request_id=name, release="r", candidates=("a", "b"), outcome=Preference(outcome)
        )
        for name, outcome in zip(names, outcomes, strict=True)
    ]
    return join("r", verdicts, Ballots(labels))


def test_the_report_says_which_figure_fits_the_data() -> None:
    balanced = [1, -1] * 20
    assert view.remarks(of_one_kind(balanced, "ab" * 20)) == []
    # 36 of 40 labels are "first": always saying so is 90 % accurate
    lopsided = view.remarks(of_one_kind([1] * 36 + [-1] * 4, "a" * 36 + "b" * 4))
    assert lopsided == ["90% of the labels are first: use kappa or f1, not accuracy"]
    # the judge says "first" to nearly everything, the labels are balanced
    (lenient,) = view.remarks(of_one_kind([1] * 38 + [-1] * 2, "ab" * 20))
    assert lenient.endswith("use Scott's pi, not kappa")
    (few,) = view.remarks(of_one_kind([1, -1] * 5, "ab" * 5))
    assert few == "only 10 prompts: the intervals may be too narrow"


def test_a_gate_asks_for_the_lower_end(capsys: pytest.CaptureFixture[str]) -> None:
    """48 of 60, less the ties: the estimate is above .7, the interval begins below it."""
    result = released("r")
    assert result.accuracy is not None and result.accuracy.interval is not None
    assert result.accuracy.interval.low < 0.7 < result.accuracy.value
    _gate([result], result.accuracy.interval.low)
    with pytest.raises(Exception) as refused:
        _gate([result], 0.7)
    assert getattr(refused.value, "exit_code", None) == ExitCode.NO
    assert "not shown to reach an accuracy of 0.7" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--resamples", "1"], "at least 40"),
        (["--resamples", "39"], "at least 40"),
        (["--resamples", "-1"], "should be"),
        (["--class", "draw"], "not a class"),
        (["--order-rule", "mine"], "averaged"),
        (["--min-accuracy", "1.5"], "should be"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(main, ["agreement", *arguments])
    assert done.exit_code == ExitCode.USAGE
    assert said in done.output.replace("\n", " ")
