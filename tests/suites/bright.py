"""A small retrieval set in BRIGHT's format, made here: 20 questions, whose helpful document shares few words.

Each question has a document that explains its cause, and one that has its words but does not help. The
first-stage run is BM25 over all documents, so the second kind is often ahead of the first.
"""

import re
from collections import Counter
from math import log
from pathlib import Path

from tests.suites.folders import written

DEPTH = 5
TOPICS: tuple[tuple[str, str, str, str], ...] = (
    # task, question, what helps, what only has its words
    (
        "biology",
        "Why do my onions make me cry when I cut them?",
        "A broken cell frees an enzyme that turns a sulphur compound into an irritating gas.",
        "Onions cut in rings make a fine salad; cry out to the kitchen when they are ready.",
    ),
    (
        "biology",
        "Why does bread dough rise faster on a warm day?",
        "Yeast ferments sugar into carbon dioxide, and its rate doubles with ten degrees more.",
        "On a warm day the bakery sells bread faster, and dough is ordered a day before.",
    ),
    (
        "biology",
        "Why do leaves turn yellow in autumn?",
        "Chlorophyll breaks down as light fades, and carotenoids that were there all along show.",
        "In autumn we turn leaves into compost, and yellow bins are put out for it.",
    ),
    (
        "biology",
        "Why do geese fly in a V?",
        "A bird that trails a wing tip is lifted by the upwash of the vortex and saves energy.",
        "Geese fly from the farm in March; the V on the door stands for visitors.",
    ),
    (
        "earth_science",
        "Why is the sea salty and a lake fresh?",
        "Ions washed out of rock have no outlet where water only leaves by evaporation.",
        "The lake hotel serves fresh fish and salty snacks with a view of the sea.",
    ),
    (
        "earth_science",
        "Why does the tide come twice a day?",
        "Gravity falls with distance, so the Earth is stretched on both the near and far side.",
        "The tide table is printed twice a day, and visitors come for it.",
    ),
    (
        "earth_science",
        "Why is it colder on a mountain although it is nearer the sun?",
        "Rising air expands at lower pressure and loses about ten kelvins per kilometre.",
        "The mountain hut has a sun terrace and is colder in winter, although it is heated.",
    ),
    (
        "earth_science",
        "Why does snow squeak under boots in hard frost?",
        "Without a melted film, grains fracture against each other and the sound is not damped.",
        "Boots for snow and hard frost are sold under the name of Squeak.",
    ),
    (
        "economics",
        "Why do petrol stations across the street charge the same price?",
        "With identical goods any seller who is dearer loses all buyers, so margins are matched.",
        "Across the street two petrol stations charge phones at the same price.",
    ),
    (
        "economics",
        "Why does a cinema sell popcorn at such a price?",
        "A captive audience has no rival to turn to, and a fee is split with the distributor.",
        "A cinema may sell popcorn in boxes; such a price is on the board.",
    ),
    (
        "economics",
        "Why is tap water cheap and a diamond dear?",
        "Marginal utility sets what one more unit is worth, and abundance drives it to zero.",
        "Diamond Street has cheap flats where tap water is dear.",
    ),
    (
        "economics",
        "Why do shops sell goods below cost?",
        "A loss leader draws customers in, and the rest of the basket pays for it.",
        "Shops sell goods of all kinds below the bridge; the cost of parking is low.",
    ),
    (
        "psychology",
        "Why do I forget what I wanted when I enter a room?",
        "A boundary between events makes the mind file away the episode before it.",
        "Enter a room number and what you wanted; I forget nothing, says the clerk.",
    ),
    (
        "psychology",
        "Why does a song stay in my head all day?",
        "An interrupted task keeps its activation, so an unfinished loop is rehearsed.",
        "A song for every day: put it on your head all day with these phones.",
    ),
    (
        "psychology",
        "Why does time go faster when I get older?",
        "Novel experiences leave dense memories, and routine years are compressed in recall.",
        "When clocks get older they go faster; time to have them cleaned.",
    ),
    (
        "psychology",
        "Why do people stand still when someone needs help in a crowd?",
        "Responsibility is diffused: each observer takes the inaction of others for a sign.",
        "People stand in a crowd; someone at the desk still needs help with tickets.",
    ),
    (
        "robotics",
        "Why does my robot arm shake when it holds a heavy part?",
        "Too high a gain on the derivative of a delayed signal makes a loop oscillate.",
        "The robot arm holds a heavy part in its hand; shake it to say hello.",
    ),
    (
        "robotics",
        "Why does my robot drift to the left on a straight line?",
        "Unequal wheel radii integrate into a heading error that odometry cannot observe.",
        "The robot on the left is straight from the assembly line, built to drift.",
    ),
    (
        "robotics",
        "Why does the map of my robot show walls twice?",
        "Without loop closure accumulated pose error places one surface at two positions.",
        "The map on the walls was shown twice by my robot.",
    ),
    (
        "robotics",
        "Why does my drone lose its compass near a bridge?",
        "Ferrous structures bend the magnetic field, and fusion trusts the bent reading.",
        "My drone took a photo of the bridge near the place where you lose a compass.",
    ),
)


def folder(path: Path) -> Path:
    """The set as files of suite judgerank."""
    texts = {f"{kind}{k}": text for k, row in enumerate(TOPICS) for kind, text in _kinds(row)}
    queries = {f"q{k}": row[1] for k, row in enumerate(TOPICS)}
    runs = bm25(queries, texts)
    return written(
        path,
        {
            "examples.jsonl": [
                {
                    "id": f"q{k}",
                    "query": question,
                    "gold_ids": [f"helps{k}"],
                    "excluded_ids": ["N/A"],
                    "task": task,
                }
                for k, (task, question, *_) in enumerate(TOPICS)
            ],
            "documents.jsonl": [{"id": name, "content": text} for name, text in texts.items()],
            "run.jsonl": [
                {"query_id": query, "doc_id": name, "score": score}
                for query, run in runs.items()
                for name, score in run.items()
            ],
        },
    )


def _kinds(row: tuple[str, str, str, str]) -> tuple[tuple[str, str], ...]:
    return ("helps", row[2]), ("words", row[3])


def bm25(
    queries: dict[str, str], texts: dict[str, str], *, k1: float = 1.2, b: float = 0.75
) -> dict[str, dict[str, float]]:
    """The `DEPTH` best documents of each query, and always the two that were written for it."""
    bags = {name: Counter(_words(text)) for name, text in texts.items()}
    mean = sum(bag.total() for bag in bags.values()) / len(bags)
    seen = Counter(word for bag in bags.values() for word in bag)

    def score(query: str, name: str) -> float:
        bag = bags[name]
        norm = k1 * (1 - b + b * bag.total() / mean)
        return sum(
            log(1 + (len(bags) - seen[word] + 0.5) / (seen[word] + 0.5))
            * bag[word]
            * (k1 + 1)
            / (bag[word] + norm)
            for word in _words(query)
            if word in bag
        )

    found = {}
    for query, text in queries.items():
        scores = {name: score(text, name) for name in texts}
        own = [f"{kind}{query[1:]}" for kind in ("helps", "words")]
        rest = sorted(set(texts) - set(own), key=lambda name: (-scores[name], name))
        found[query] = {name: round(scores[name], 4) for name in (*own, *rest[: DEPTH - 2])}
    return found


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
