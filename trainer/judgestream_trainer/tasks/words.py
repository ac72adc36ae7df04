"""The shared vocabulary of the task families: common words, collected for this project."""

NOUNS = tuple(
    """
    lamp river stone garden window bridge mirror candle ladder basket hammer blanket pillow bottle
    kettle spoon carpet curtain drawer wallet pencil ribbon button needle thread jacket sweater
    scarf mitten helmet engine wheel anchor rudder compass lantern tunnel castle tower temple
    """.split()
)

ADJECTIVES = tuple(
    """
    old young quiet loud bright dark heavy light
    """.split()
)

VERBS = tuple(
    """
    watches carries follows finds hides keeps leaves likes
    """.split()
)

ADVERBS = tuple(
    """
    slowly quickly quietly gladly
    """.split()
)

PLACES = tuple(
    """
    in the garden|by the river|near the bridge|under the tower
    """.replace("\n", " ").split("|")
)
PLACES = tuple(" ".join(place.split()) for place in PLACES)

TOPICS: dict[str, tuple[str, ...]] = {
    "cooking": tuple(
        "oven pan recipe dinner meat sauce spice boil bake taste chef meal dish".split()
    ),
    "weather": tuple(
        "storm rain snow wind sunny fog frost forecast sky heat ice hail breeze".split()
    ),
    "music": tuple(
        "song melody rhythm band concert tune chord singer stage voice note album".split()
    ),
    "sports": tuple(
        "team ball goal coach match race player score league medal runner swim".split()
    ),
    "computers": tuple(
        "software program data screen keyboard code network server file error website".split()
    ),
    "health": tuple(
        "sleep diet vitamin exercise heart medicine pain disease body blood cure".split()
    ),
    "money": tuple("bank price tax loan budget pay cost profit trade salary invest debt".split()),
    "travel": tuple(
        "hotel flight train map luggage passport tourist trip beach guide visit".split()
    ),
    "history": tuple("king war empire century queen battle treaty ruler army throne law".split()),
    "gardens": tuple("seed soil flower grow leaf root plant water tree bush grass weed".split()),
    "schools": tuple(
        "pupil lesson exam class student grade homework learn study read book".split()
    ),
    "space": tuple("star moon orbit galaxy sun gravity astronaut telescope mars light sky".split()),
}

COMMON = tuple(
    """
    the of and to in is you that it he was for on are as with his they at be this have from or one had by
    word but not what all were we when your can said there use an each which she do how their if will up
    other about out many then them these so some her would make like him into time has look two more write
    go see number no way could people my than first been call who its now find long down day did get come
    made may part over new sound take only little work know place year live me back give most very after
    thing our just name good sentence man think say great where help through much before line right too
    mean any same tell boy follow came want show also around form three small set put end does another well
    large must big even such because turn here why ask went men read need land different home us move try
    kind hand picture again change off play spell air away animal house point page letter mother answer
    found study still learn should world high every near add food between own below country last keep
    important while however example information following people question system possible provide create
    using include better different process public state company government problem service against another
    """.split()
)

SYLLABLES = tuple(
    """
    ba be bi bo bu da de di do du fa fe fi fo ga ge gi go ka ke ki ko ku la le li lo lu ma me mi mo mu
    na ne ni no nu pa pe pi po ra re ri ro ru sa se si so su ta te ti to tu va ve vi vo za ze zi zo
    bar den fil gor han kel lim mar nor pol ran sel tor vel win zan
    """.split()
)
