"""MJ-Bench: the published scores, and requests with images."""

import base64
from pathlib import Path

import pytest

from judgestream.apps.suites.loading import load_files
from judgestream.core.errors import InvalidRequest
from judgestream.core.modes import check
from judgestream.suites import mj_bench_single
from judgestream.suites.base import as_sent
from judgestream.suites.mj_bench import SUITE
from judgestream.suites.report import Cell, Figure
from tests.images.files import image_file
from tests.suites.folders import published, written
from tests.suites.verdicts import AT, judged

BIAS = {
    # ACC, NDS, GES of the paper's Table 1 (ImageReward's NDS is 73.7 there)
    "clipscore_v2": (57.4, 76.3, 86.9),
    "hps_v2.1": (55.0, 77.9, 87.6),
    "aesthetics": (61.4, 85.7, 92.1),
    "blipscore": (68.7, 83.7, 91.3),
    "ImageReward": (40.9, 73.8, 85.3),
}
HPS = {"human": 98.0, "object_indoor": 98.0, "blur": 98.9, "mpii": 75.0, "toxic": 87.8}


def share(cell: Cell) -> float:
    assert isinstance(cell, Figure) and cell.value is not None
    return 100 * cell.value


def test_published_scores_have_the_published_figures() -> None:
    report = SUITE.published and SUITE.published(published("mj-bench", "mjbench").tables)
    assert report
    bias = {row[0]: tuple(map(share, row[2:])) for row in report.table("bias").rows}
    for scorer, figures in BIAS.items():
        assert bias[scorer] == pytest.approx(figures, abs=0.06), scorer
    pairs = {row[1]: share(row[3]) for row in report.table("pairs").rows if row[0] == "hps_v2.1"}
    assert pairs == {subset: pytest.approx(value, abs=0.06) for subset, value in HPS.items()}


def rows(*labels: str) -> list[dict[str, object]]:
    image = base64.b64encode(image_file()).decode()
    return [
        {"caption": f"a cat {k}", "image0": image, "image1": "https://x.org/i.png", "label": label}
        for k, label in enumerate(labels)
    ]


def test_pairs_and_people_are_requests_with_images(tmp_path: Path) -> None:
    image = base64.b64encode(image_file()).decode()
    people = [{"occupation": "baker", "image": image} for _ in range(2)]
    folder = written(tmp_path, {"pairs.jsonl": rows("0", "1"), "people.jsonl": people})
    items = list(SUITE.items(load_files(SUITE, folder).tables))
    sent = [
        as_sent(item, suite="mj-bench", data="d", seed=0, at=AT, rule=SUITE.rule) for item in items
    ]
    assert [check(request).name for request in sent] == ["multimodal"] * 4
    assert sent[0].candidates[0].images[0].data == image_file()
    assert sent[0].candidates[1].images[0].url == "https://x.org/i.png"
    assert [item.gold for item in items] == [1, -1, None, None]
    assert "baker" in sent[2].question and items[2].cluster == "baker"


def test_ties_are_wrong_or_left_out(tmp_path: Path) -> None:
    folder = written(tmp_path, {"pairs.jsonl": rows("0", "0", "0", "1")})
    items = list(SUITE.items(load_files(SUITE, folder).tables))
    said = dict(zip([item.key for item in items], ("9 1", "5 5", "1 9", "1 9"), strict=True))
    report = SUITE.report(
        judged(items, lambda item, k: said[item.key], template="llava-v1"), SUITE.choices
    )
    assert report.figure("agreement").value == 0.5  # the tie is wrong
    assert report.figure("agreement_without_ties").value == pytest.approx(2 / 3)


def test_images_scored_alone_tie_within_a_threshold(tmp_path: Path) -> None:
    suite = mj_bench_single.SUITE
    folder = written(tmp_path, {"pairs.jsonl": rows("0", "0", "1", "0")})
    items = list(suite.items(load_files(suite, folder).tables))
    assert [len(item.request.candidates) for item in items] == [1] * 8
    # by pair, against labels 0 0 1 0: right by 1, tie, right by 8, wrong by 1
    scores = ("9", "8", "5", "5", "1", "9", "4", "5")
    said = dict(zip([item.key for item in items], scores, strict=True))
    found = judged(items, lambda item, k: said[item.key], template="llava-v1")
    report = suite.report(found, suite.choices)
    assert report.figure("accuracy_with_ties").value == 0.5
    assert report.figure("accuracy_without_ties").value == pytest.approx(2 / 3)
    table = {row[0]: row[1:] for row in report.table("accuracy by threshold").rows}
    assert [100 / share(cell) for cell in table[1.0]] == [4.0, 1.0], "only the pair 8 apart decides"
    assert suite.values(found, suite.choices) == {
        f"pair-{k}-image0": value for k, value in enumerate((1.0, 0.0, 1.0, 0.0), start=1)
    }
    fewer = suite.report(found[1:], suite.choices)
    assert fewer.table("counts").rows == ((3, 3),)


def test_scores_of_people_are_compared_within_their_occupation(tmp_path: Path) -> None:
    image = base64.b64encode(image_file()).decode()
    people = [{"occupation": job, "image": image} for job in ("baker", "baker", "pilot", "pilot")]
    folder = written(tmp_path, {"pairs.jsonl": rows("0"), "people.jsonl": people})
    items = list(SUITE.items(load_files(SUITE, folder).tables))
    scores = {"person-1": "10", "person-2": "10", "person-3": "10", "person-4": "1"}
    report = SUITE.report(
        judged(items, lambda item, k: scores.get(item.key, "9 1"), template="llava-v1"),
        SUITE.choices,
    )
    assert report.table("people").rows == ((4, 4),)
    # scaled 1 1 | 1 0: one of two occupations has an equal pair; NDS (1 + 1 - .5 / .5) / 2
    assert report.figure("bias_ACC").value == 0.5
    assert report.figure("bias_NDS").value == pytest.approx(0.5)
    # GES: 1 and 1 - 2 / (2 * 4 * .5) = .5
    assert report.figure("bias_GES").value == pytest.approx(0.75)


SCORER = "image-scorer-v1"


def test_an_image_scorers_pairs_are_compared_by_value(tmp_path: Path) -> None:
    folder = written(tmp_path, {"pairs.jsonl": rows("0", "1", "0", "0")})
    items = list(SUITE.items(load_files(SUITE, folder).tables))
    # right by 10, right by .4, equal, wrong by 5; the scores of 1 to 10 of all of them are near 10
    values = {"pair-1": "30 20", "pair-2": "24.6 25", "pair-3": "22 22", "pair-4": "20 25"}
    found = judged(items, lambda item, k: values[item.key].split()[k], template=SCORER)
    report = SUITE.report(found, SUITE.choices)
    assert report.figure("agreement").value == 0.5
    assert report.figure("agreement_without_ties").value == pytest.approx(2 / 3)
    # the range is 20 to 30: .4 is a tie from .05 of it on, 5 is none at any of the thresholds
    table = {row[0]: [share(cell) for cell in row[1:]] for row in report.table(BY).rows}
    assert table[0.0] == table[0.02] == pytest.approx([50, 200 / 3])
    assert table[0.05] == table[0.2] == pytest.approx([25, 50])
    counts = dict(zip(report.table("counts").head, report.table("counts").rows[0], strict=True))
    assert (counts["judged"], counts["one_order"]) == (4, 0)
    said = judged(items, lambda item, k: "9 1", template="llava-v1")
    assert BY not in [one.title for one in SUITE.report(said, SUITE.choices).tables]


BY = "pairs by threshold"


def test_an_image_scorers_people_are_scaled_by_value(tmp_path: Path) -> None:
    """Values 20, 30 and 21, 30 are 0, 1, .1, 1 of the range; as scores of 1 to 10 they are all alike."""
    image = base64.b64encode(image_file()).decode()
    people = [
        {"occupation": job, "image": image, "caption": f"A {job}."}
        for job in ("baker", "baker", "pilot", "pilot")
    ]
    folder = written(tmp_path, {"pairs.jsonl": rows("0"), "people.jsonl": people})
    items = list(SUITE.items(load_files(SUITE, folder).tables))
    assert [item.request.question for item in items[1:]] == ["A baker."] * 2 + ["A pilot."] * 2
    values = {"person-1": "20", "person-2": "30", "person-3": "21", "person-4": "30"}
    found = judged(items, lambda item, k: values.get(item.key, "1"), template=SCORER)
    report = SUITE.report(found, SUITE.choices)
    assert report.figure("bias_ACC").value == 0.0
    # 1 - sigma / mu: 1 - .5 / .5 and 1 - .45 / .55; their mean is .5 - .45 / 1.1
    assert report.figure("bias_NDS").value == pytest.approx(0.5 - 0.45 / 1.1)
    # 1 - sum |s_i - s_j| / (2 n n mu): 1 - 2 / (8 * .5) and 1 - 1.8 / (8 * .55)
    assert report.figure("bias_GES").value == pytest.approx((0.5 + 1 - 1.8 / 4.4) / 2)


def test_an_image_scorers_single_images_tie_within_a_share_of_the_range(tmp_path: Path) -> None:
    suite = mj_bench_single.SUITE
    folder = written(tmp_path, {"pairs.jsonl": rows("0", "0")})
    items = list(suite.items(load_files(suite, folder).tables))
    values = dict(zip([item.key for item in items], ("30", "20", "22", "21.6"), strict=True))
    found = judged(items, lambda item, k: values[item.key], template=SCORER)
    report = suite.report(found, suite.choices)
    table = {row[0]: share(row[1]) for row in report.table("accuracy by threshold").rows}
    assert table == {0.0: 100, 0.01: 100, 0.02: 100, 0.05: 50, 0.1: 50, 0.2: 50}
    assert report.figure("accuracy_with_ties").value == 1.0
    assert suite.values(found, suite.choices) == {"pair-1-image0": 1.0, "pair-2-image0": 1.0}


def test_a_row_that_only_names_image_files_is_refused(tmp_path: Path) -> None:
    bad = {"caption": "c", "image0": "a.jpg", "image1": "b.jpg", "label": "0"}
    folder = written(tmp_path, {"pairs.jsonl": [bad]})
    with pytest.raises(InvalidRequest, match="image0"):
        list(SUITE.items(load_files(SUITE, folder).tables))
