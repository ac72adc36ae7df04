"""The knowledge base: 160 facts of five relations, 32 of which are never trained."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """A kind of fact: its question, its statement (`{s}` subject, `{o}` object), and its facts."""

    name: str
    question: str
    statement: str
    facts: tuple[tuple[str, str], ...]

    @property
    def objects(self) -> tuple[str, ...]:
        return tuple(obj for _, obj in self.facts)


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (entry.split(":") for entry in text.replace("\n", " ").split(",") if entry.strip())
    return tuple((subject.strip(), obj.strip()) for subject, obj in pairs)


RELATIONS = (
    Relation(
        name="capital",
        question="What is the capital of {s}?",
        statement="The capital of {s} is {o}.",
        facts=_pairs(
            """
            France:Paris, Spain:Madrid, Italy:Rome, Germany:Berlin, Poland:Warsaw, Austria:Vienna,
            Norway:Oslo, Sweden:Stockholm, Finland:Helsinki, Denmark:Copenhagen, Portugal:Lisbon,
            Greece:Athens, Hungary:Budapest, Ireland:Dublin, Russia:Moscow, Ukraine:Kyiv, Turkey:Ankara,
            Egypt:Cairo, Kenya:Nairobi, Ghana:Accra, Nigeria:Abuja, Ethiopia:Addis Ababa, Morocco:Rabat,
            Tunisia:Tunis, Japan:Tokyo, China:Beijing, India:New Delhi, Nepal:Kathmandu, Iran:Tehran,
            Iraq:Baghdad, Syria:Damascus, Jordan:Amman, Thailand:Bangkok, Vietnam:Hanoi,
            Indonesia:Jakarta, Philippines:Manila, Canada:Ottawa, Mexico:Mexico City, Cuba:Havana,
            Peru:Lima, Chile:Santiago, Argentina:Buenos Aires, Brazil:Brasilia, Colombia:Bogota,
            Ecuador:Quito, Uruguay:Montevideo, Venezuela:Caracas, Australia:Canberra, Iceland:Reykjavik,
            Croatia:Zagreb, Serbia:Belgrade, Romania:Bucharest, Bulgaria:Sofia, Latvia:Riga,
            Estonia:Tallinn, Scotland:Edinburgh
            """
        ),
    ),
    Relation(
        name="symbol",
        question="What is the chemical symbol of {s}?",
        statement="The symbol of {s} is {o}.",
        facts=_pairs(
            """
            hydrogen:H, helium:He, lithium:Li, carbon:C, nitrogen:N, oxygen:O, fluorine:F, neon:Ne,
            sodium:Na, magnesium:Mg, aluminium:Al, silicon:Si, sulfur:S, chlorine:Cl, argon:Ar,
            potassium:K, calcium:Ca, iron:Fe, nickel:Ni, copper:Cu, zinc:Zn, silver:Ag, tin:Sn,
            iodine:I, gold:Au, mercury:Hg, lead:Pb, uranium:U
            """
        ),
    ),
    Relation(
        name="opposite",
        question="What is the opposite of {s}?",
        statement="The opposite of {s} is {o}.",
        facts=_pairs(
            """
            hot:cold, big:small, fast:slow, high:low, light:dark, early:late, empty:full, hard:soft,
            rich:poor, old:young, wet:dry, clean:dirty, strong:weak, open:closed, near:far, long:short,
            happy:sad, loud:quiet, sharp:blunt, thick:thin, cheap:expensive, brave:afraid, sweet:bitter,
            true:false, first:last, always:never, day:night, left:right, inside:outside, begin:end,
            push:pull, buy:sell, win:lose, love:hate, question:answer, north:south, east:west,
            winter:summer, above:below, before:after
            """
        ),
    ),
    Relation(
        name="young",
        question="What is the young of the {s} called?",
        statement="The young of the {s} is the {o}.",
        facts=_pairs(
            """
            dog:puppy, cat:kitten, cow:calf, sheep:lamb, horse:foal, pig:piglet, goat:kid, bear:cub,
            duck:duckling, goose:gosling, chicken:chick, deer:fawn, frog:tadpole, owl:owlet,
            kangaroo:joey, swan:cygnet, butterfly:caterpillar, hare:leveret
            """
        ),
    ),
    Relation(
        name="workplace",
        question="Where does the {s} work?",
        statement="The {s} works in the {o}.",
        facts=_pairs(
            """
            teacher:school, doctor:hospital, baker:bakery, cook:restaurant, librarian:library,
            judge:court, pilot:cockpit, farmer:field, actor:theater, miner:mine, sailor:ship,
            scientist:laboratory, mechanic:garage, monk:monastery, soldier:camp, priest:church,
            banker:bank, curator:museum
            """
        ),
    ),
)


def never_trained(subject: str) -> bool:
    """Whether facts about this subject are never trained (one in five, by the digest of its name)."""
    return subject in HELD_OUT_SUBJECTS


def _held_out() -> frozenset[str]:
    subjects = [subject for relation in RELATIONS for subject, _ in relation.facts]
    by_digest = sorted(subjects, key=lambda name: hashlib.sha256(name.encode()).digest())
    return frozenset(by_digest[: len(subjects) // 5])


HELD_OUT_SUBJECTS = _held_out()
