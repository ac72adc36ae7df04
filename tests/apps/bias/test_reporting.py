"""The releases that have gauges."""

from judgestream.apps.bias.reporting import MAX_RELEASES_SHOWN, admitted


def test_new_names_do_not_take_the_gauges_of_a_release() -> None:
    shown: set[str] = set()
    assert admitted(shown, "stable")
    for k in range(MAX_RELEASES_SHOWN + 5):
        admitted(shown, f"name-{k}")
    assert len(shown) == MAX_RELEASES_SHOWN
    assert admitted(shown, "stable")
    assert not admitted(shown, "one more")
