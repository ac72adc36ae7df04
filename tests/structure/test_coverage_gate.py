"""The gate of `make coverage` on coverage's own report format."""

from tests.coverage_gate import by_package, failures


def summary(branches: int, covered: int) -> dict[str, dict[str, int]]:
    return {
        "summary": {
            "num_statements": 10,
            "covered_lines": 9,
            "num_branches": branches,
            "covered_branches": covered,
            "missing_branches": branches - covered,
        }
    }


REPORT = {
    "files": {
        "services/judgestream/core/modes.py": summary(10, 10),
        "services/judgestream/core/formats/base.py": summary(10, 8),
        "services/judgestream/client.py": summary(4, 1),
    }
}


def test_files_count_for_their_second_level_package() -> None:
    counts = by_package(REPORT)
    assert set(counts) == {"judgestream/core", "judgestream/client"}
    assert (counts["judgestream/core"].branches, counts["judgestream/core"].branches_run) == (
        20,
        18,
    )


def test_a_package_below_its_limit_fails_and_names_the_files() -> None:
    counts = by_package(REPORT)
    assert failures(counts, {"judgestream/core": 90.0}) == []
    (problem,) = failures(counts, {"judgestream/core": 95.0})
    assert "90.0 % of branches covered" in problem and "formats/base.py (2)" in problem


def test_a_package_without_any_measured_file_fails() -> None:
    assert len(failures(by_package(REPORT), {"judgestream/evaluation": 95.0})) == 1
