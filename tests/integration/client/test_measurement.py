"""What is measured on published verdicts: quality, savings, health, the leaderboard."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from judgestream.client import Producer, label, pair
from judgestream.contracts.topics import (
    PROBES,
)
from judgestream.core.known_answers import KNOWN_ANSWERS, probe_request
from judgestream.core.types import (
    PROBE_KEY,
    Candidate,
    Style,
    Verdict,
)
from judgestream.settings import Kafka
from judgestream.terminal.exit_codes import ExitCode
from tests.integration.client.records import (
    NOW,
    publish,
    run,
    verdict,
)

pytestmark = pytest.mark.integration


class TestMeasurement:
    def test_quality_is_corrected_by_sampled_labels(self, kafka: Kafka) -> None:
        """The judge prefers `one` in 3 of 4, the annotators in every second request."""
        answers = (
            Candidate(id="1", text="a", system="one"),
            Candidate(id="2", text="b", system="two"),
        )
        requests = [
            pair("q", *answers, request_id=f"r{k}", metadata={"tenant": "ab"[k % 2]})
            for k in range(80)
        ]
        publish(
            kafka,
            *(
                replace(
                    verdict(one, winner="1" if k % 4 else "2"),
                    metadata=one.metadata,
                    prompt_digest=str(k),
                )
                for k, one in enumerate(requests)
            ),
        )
        with Producer(kafka) as producer:
            for k in range(40):
                producer.label(
                    label(
                        f"r{k}",
                        annotator="human",
                        winner="1" if k % 4 > 1 else "2",
                        sampling_probability=0.5,
                    )
                )
        done = run("quality", "--format", "json")
        assert done.exit_code == 0, done.output
        (found,) = [json.loads(text) for text in done.stdout.splitlines()]
        rate = next(one for one in found["systems"] if one["system"] == "one")["win_rate"]
        assert (rate["n"], rate["labelled"], rate["weighted"]) == (80, 40, True)
        assert rate["judged"]["value"] == 0.75
        own = rate["prediction_powered"]
        assert own["low"] < 0.5 < own["high"] < 0.75 and own["value"] == pytest.approx(0.5)
        assert rate["rogan_gladen"]["value"] == pytest.approx(0.5)
        by_tenant = run("quality", "--segment", "tenant", "--format", "json")
        assert [json.loads(text)["tenant"] for text in by_tenant.stdout.splitlines()] == ["a", "b"]
        text = run("quality").stdout
        assert "Rogan-Gladen" in text and "one, win rate" in text
        agreement = run("agreement", "--segment", "tenant", "--format", "json").stdout
        assert [json.loads(text)["segment"] for text in agreement.splitlines()] == ["a", "b"]
        both = run("agreement", "--segment", "tenant", "--compare", "judge-1")
        assert both.exit_code == ExitCode.USAGE
        assert run("quality", "--annotator", "nobody").exit_code == ExitCode.NO

    def test_savings_by_uncertainty_are_measured_on_both_orders(self, kafka: Kafka) -> None:
        """Every fourth pair is flipped, and its first order says .8: only a bound above .8 sees it."""
        requests = [pair(f"q{k}", "a", "b", request_id=f"r{k}") for k in range(20)]
        publish(
            kafka,
            *(verdict(one, winner="1", flipped=k % 4 == 0) for k, one in enumerate(requests)),
            *(
                replace(verdict(one, winner="2"), release="large", verdict_id=f"l{k}")
                for k, one in enumerate(requests)
            ),
        )
        ambiguous = run("savings")
        assert ambiguous.exit_code == ExitCode.USAGE and "judge-1, large" in ambiguous.stderr
        bounds = ("--second-order-below", "0.7", "--second-order-below", "0.9")
        done = run("savings", "--release", "judge-1", *bounds, "--format", "json")
        assert done.exit_code == 0, done.output
        low, high = [json.loads(text) for text in done.stdout.splitlines()]
        assert (low["n"], low["unit"], low["asked"]) == (20, "passes", {"nothing": 20})
        assert (low["saved"]["value"], low["changed"]["value"]) == (0.5, 0.25)
        assert (high["saved"]["value"], high["changed"]["value"]) == (0.0, 0.0)
        with Producer(kafka) as producer:
            for k in range(8):
                producer.label(label(f"r{k}", annotator="human", winner="1"))
        text = run("savings", "--release", "judge-1", *bounds).stdout
        assert "agreement, points" in text and "no pair has a label" not in text
        assert max(map(len, text.splitlines())) <= 80
        other = ("--release-below", "0.5", "--other", "large", "--second-order-below", "0.9")
        asked = json.loads(run("savings", *other, "--format", "json").stdout)
        assert asked["asked"] == {"second_order": 20, "release": 5}
        assert asked["changed"]["value"] == 0.25
        steps = ("--release", "judge-1", "--other", "large", "--cascade-below", "0.7")
        (cascade,) = map(json.loads, run("savings", *steps, "--format", "json").stdout.splitlines())
        assert cascade["asked"] == {"nothing": 15, "release": 5} and cascade["n"] == 20
        assert (cascade["changed"]["value"], cascade["agreement"]["n"]) == (0.75, 8)
        assert "against asking large of every pair" in run("savings", *steps).stdout
        assert run("savings", "--cascade-below", "0.9").exit_code == ExitCode.USAGE
        assert run("savings", "--release-below", "0.5").exit_code == ExitCode.USAGE
        assert run("savings", "--release", "nobody").exit_code == ExitCode.NO

    def test_health_shows_probes_families_templates_and_drift(self, kafka: Kafka) -> None:
        """The judge is of family gpt and prefers gpt-1 always; the annotators every second time."""
        answers = (
            Candidate(id="1", text="The tower opened in 1889 and is tall.", system="gpt-1"),
            Candidate(id="2", text="It was opened in 1889, and it is tall.", system="claude-1"),
        )
        requests = [pair(f"q{k}", *answers, request_id=f"r{k}") for k in range(40)]
        judged = [
            replace(
                verdict(one, winner="1", flipped=k % 5 == 0),
                checkpoint_digest="c" * 64,
                template_id="plain",
                prompt_digest=str(k),
                requested_at=NOW - timedelta(days=k % 2),
            )
            for k, one in enumerate(requests)
        ]
        chatty = [
            replace(one, release="chatty", template_id="chat", verdict_id=f"c{k}")
            for k, one in enumerate(judged)
        ]
        probes = [
            replace(
                verdict(probe.request, winner="" if k % 2 else probe.request.candidates[0].id),
                metadata=probe.request.metadata,
                prompt_digest=str(k),
            )
            for k, one in enumerate(requests)
            if (probe := probe_request(KNOWN_ANSWERS["identical"], one, 0))
        ]
        assert run("health").exit_code == ExitCode.NO
        publish(kafka, *judged, *chatty)
        publish(kafka, *probes, probes[0], topic=PROBES)
        with Producer(kafka) as producer:
            for k in range(40):
                producer.label(label(f"r{k}", annotator="human", winner="12"[k % 2]))
        half_a_day_ago = (NOW - timedelta(hours=12)).isoformat()
        options = ("--judge", "judge-1=gpt-4", "--drift-from", half_a_day_ago)
        done = run("health", *options, "--format", "json")
        assert done.exit_code == 0, done.output
        found = json.loads(done.stdout)
        (known,) = found["known_answers"]
        assert (known["name"], known["probes"], known["right"]["value"]) == ("identical", 40, 0.5)
        gain = found["self_preference"]["over_labels"]
        assert list(gain) == ["judge-1"] and gain["judge-1"]["value"] == 0.5
        assert gain["judge-1"]["low"] > 0.2
        across = found["self_preference"]["across_judges"]
        assert across["own"] == 40 and across["families"] == ["chatty", "gpt"]
        (same,) = found["templates"]
        assert (same["templates"], same["consistency"]["value"]) == (["chat", "plain"], 1.0)
        position = found["drift"]["judge-1"]["position"]
        assert (position["n"], position["before"], position["drifted"]) == (20, 20, False)
        text = run("health", *options).stdout
        for shown in ("known-answer probes", "self-preference", "equal preferences", "drift"):
            assert shown in text
        assert max(map(len, text.splitlines())) <= 90
        assert run("health", "--judge", "gpt-4").exit_code == ExitCode.USAGE

    def test_the_leaderboard_is_rebuilt_from_the_topic(self, kafka: Kafka) -> None:
        def judged(name: str, winner: str, task: str, probe: bool = False) -> Verdict:
            answers = (
                Candidate(id="1", text="# a", system="one"),
                Candidate(id="2", text="b", system="two"),
            )
            asked = pair("q", *answers, request_id=name)
            styles = (Style(words=2, headers=1), Style(words=1))
            own = verdict(asked, winner=winner)
            scores = tuple(
                replace(score, style=style) for score, style in zip(own.scores, styles, strict=True)
            )
            metadata = {"task": task} | ({PROBE_KEY: "known-answer"} if probe else {})
            return replace(own, scores=scores, metadata=metadata, prompt_digest=name)

        rows = [judged(f"r{k}", "1" if k % 3 else "2", "ab"[k % 2]) for k in range(12)]
        publish(kafka, *rows, *rows[:5], judged("p", "2", "a", probe=True))
        done = run("leaderboard", "--format", "json")
        assert done.exit_code == 0, done.output
        (board,) = [json.loads(text) for text in done.stdout.splitlines()]
        assert (board["battles"], board["prompts"], board["groups"]) == (12, 12, 1)
        assert board["skipped"] == {"not_counted": 1}
        best, worst = board["systems"]
        assert (best["system"], best["battles"], worst["rank"]) == ("one", 12, 1)
        assert best["win_rate"]["value"] == pytest.approx(8 / 12)
        assert best["rating"]["method"] == "sandwich, clustered"
        drawn = json.loads(run("leaderboard", "--resamples", "40", "--format", "json").stdout)
        assert drawn["systems"][0]["rating"]["method"] == "percentile bootstrap of clusters"
        done = run("leaderboard", "--segment", "task", "--style-control", "--format", "json")
        boards = [json.loads(text) for text in done.stdout.splitlines()]
        assert [(one["task"], one["battles"]) for one in boards] == [("a", 6), ("b", 6)]
        assert boards[0]["style"]["bold"] is None and boards[0]["style"]["headers"]["low"] < 0
        text = run("leaderboard", "--style-control").stdout
        assert "win rate" in text and "headers" in text
        assert max(map(len, text.splitlines())) <= 80
        early = run("leaderboard", "--until", "2020-01-01")
        assert early.exit_code == ExitCode.NO
        assert "no two systems were compared" in early.stderr
        assert run("leaderboard", "--resamples", "5").exit_code == ExitCode.USAGE
