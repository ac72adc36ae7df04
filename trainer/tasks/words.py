"""The vocabulary that every family draws from. Plain common words, written for this project."""

NOUNS = tuple(
    """
    lamp river stone garden window bridge mirror candle ladder basket hammer blanket pillow bottle
    kettle spoon carpet curtain drawer wallet pencil ribbon button needle thread jacket sweater scarf
    mitten helmet engine wheel anchor rudder compass lantern tunnel castle tower temple village
    harbor island desert forest meadow valley canyon glacier volcano ocean lake pond stream waterfall
    cloud thunder rainbow shadow sunrise sunset winter summer autumn spring morning evening market
    bakery library museum school theater hospital factory office station airport garage kitchen
    cellar attic balcony chimney fence gate path corner statue fountain bench clock bell drum flute
    violin guitar piano trumpet whistle puppet marble kite balloon puzzle ticket letter stamp parcel
    magnet battery camera radio rocket planet comet crystal diamond copper silver iron glass paper
    cotton leather rope chain knife fork plate bowl cup jar barrel bucket shovel rake broom brush
    sponge soap towel apple banana cherry lemon melon orange peach pear plum grape bean carrot onion
    potato tomato pepper garlic mushroom cabbage pumpkin bread butter cheese honey sugar salt flour
    soup salad cookie cake pie tea coffee juice milk egg rabbit turtle parrot spider beetle dolphin
    whale tiger monkey camel donkey goose pigeon sparrow eagle owl snake lizard frog squirrel
    hedgehog badger otter beaver wolf fox bear deer farmer doctor teacher painter sailor soldier
    baker butcher tailor pilot judge nurse singer dancer writer driver hunter miner
    """.split()
)

ADJECTIVES = tuple(
    """
    old young quiet loud bright dark heavy light warm cold soft hard small large narrow wide clean
    dirty empty full gentle rough sharp smooth sweet sour fresh dry wet broken golden wooden lonely
    proud clever curious patient brave careful famous ancient modern simple strange
    """.split()
)

VERBS = tuple(
    """
    watches carries follows finds hides keeps leaves likes moves needs opens paints pulls pushes
    remembers repairs sees shows touches wants washes holds draws lifts cleans misses loves guards
    """.split()
)

ADVERBS = tuple(
    """
    slowly quickly quietly gladly rarely often carefully suddenly gently always never proudly
    """.split()
)

PLACES = tuple(
    """
    in the garden|by the river|near the bridge|under the tower|on the hill|behind the school|at the
    market|in the village|beside the lake|at the station|on the island|in the kitchen
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
