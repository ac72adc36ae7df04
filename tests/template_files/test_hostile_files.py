"""Template files that somebody else wrote to exhaust or crash the reader."""

import pytest

from judgestream.core.errors import ConfigurationError
from judgestream.template_files.jinja import skeleton
from judgestream.template_files.yaml_text import parsed

TAGGED = [
    "!!bool maybe",
    "!!int ''",
    "!!int _",
    "!!timestamp x",
    "!!set [a]",
    "!!float x",
    "!!omap 3",
]


@pytest.mark.parametrize("value", TAGGED)
def test_a_tagged_value_of_another_form_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="judge.yaml is not valid YAML"):
        parsed(f"a: {value}", "judge.yaml")


@pytest.mark.no_cover
@pytest.mark.parametrize("text", ["a: " + "[" * 5000, "{a: " * 5000])
def test_deep_yaml_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="recursion"):
        parsed(text, "judge.yaml")


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "not " * 2000 + "1 }}",
        "{{ " + "1+" * 20_000 + "1 }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{% if 1 %}" * 2000 + "x" + "{% endif %}" * 2000,
        "{{ answers" + "[0]" * 5000 + " }}",
        "{% for a in answers %}{% for b in answers %}" + "x" * 9000 + "{% endfor %}{% endfor %}",
        "{{ 2 ** 99999999 }}",
        "{{ 'x' * 99999999 }}",
        "{{ range(99999999) }}",
        "{{ answers.__class__ }}",
    ],
)
def test_a_template_that_nests_or_repeats_without_end_is_refused(source: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^roles\[0\]"):
        skeleton(source, "roles[0]", answers=16, reference=True)
