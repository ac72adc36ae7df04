"""A template file to change in tests."""

TEXT = """\
id: house-style-v1
summary: Grades answers in our own words.
markers: ["### Task", "### Reference", "### Answer", "### End"]
scores:
  lead: " "
forms:
  pair:
    text: |
      You compare two answers.
      ### Task
      {{ question }}
      {% if reference %}
      ### Reference
      {{ reference }}
      {% endif %}
      {% for answer in answers %}
      ### Answer {{ loop.index }}
      {{ answer }}
      {% endfor %}
      ### End
      Two scores from 1 to 10:
  single:
    text: |
      ### Task
      {{ question }}
      ### Reference
      {{ reference }}
      ### Answer
      {{ answers[0] }}
      ### End
      One score from 1 to 10:
"""
REASONS_FIRST = TEXT.replace("house-style-v1", "house-reason-v1").replace(
    "forms:",
    "reasoning: {marker: 'Final scores:', max_tokens: 12, samples: 2, temperature: 1, seed: 3}\nforms:",
)
MESSAGES = """\
id: house-chat-v1
markers: ["### Task", "### Answer", "### End"]
forms:
  pair:
    messages:
      - role: system
        content: You compare two answers.
      - role: user
        content: |
          ### Task
          {{ question }}
          {% if reference %}
          ### Answer that is right
          {{ reference }}
          {% endif %}
          {% for answer in answers %}
          ### Answer {{ loop.index }}
          {{ answer }}
          {% endfor %}
          ### End
          Two scores from 1 to 10:
"""


def changed(old: str, new: str, text: str = TEXT) -> str:
    assert old in text, old
    return text.replace(old, new, 1)
