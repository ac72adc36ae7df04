"""Questions with answers from good to bad, for the check of a quantised judge. Written for this project."""

PAIRS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Why does ice float on water?",
        (
            "Water expands as it freezes: its molecules lock into an open lattice, so ice is about nine per"
            " cent less dense than the water it lies in.",
            "Because ice is lighter than water.",
            "Ice floats because it is cold, and cold things rise.",
            "I like ice in my drinks.",
        ),
    ),
    (
        "What is 17 times 6?",
        (
            "17 x 6 = 10 x 6 + 7 x 6 = 60 + 42 = 102.",
            "102",
            "About a hundred.",
            "17 x 6 = 112.",
        ),
    ),
    (
        "Give me a polite one-sentence reply that declines a meeting on Friday.",
        (
            "Thank you for the invitation; I am sorry that I cannot make Friday, but I would gladly meet"
            " early next week.",
            "Sorry, I cannot come on Friday.",
            "No.",
            "Friday is a day of the week. It comes after Thursday. Many people like it.",
        ),
    ),
    (
        "How do I reverse a list in Python without changing the original?",
        (
            "Use a slice, `numbers[::-1]`, or `list(reversed(numbers))`; both make a new list and leave the"
            " original alone.",
            "`numbers[::-1]`",
            "Call `numbers.reverse()`.",
            "Write it down backwards on paper.",
        ),
    ),
    (
        "Which planet is the largest in our solar system?",
        (
            "Jupiter: it has more than twice the mass of all the other planets together.",
            "Jupiter.",
            "Saturn, because of its rings.",
            "The Sun is the largest planet.",
        ),
    ),
    (
        "I cannot sleep before exams. What could help?",
        (
            "Stop studying an hour before bed, keep your usual bedtime, put screens away, and write"
            " tomorrow's plan down so that it leaves your head; if it goes on for weeks, see a doctor.",
            "Try to relax, and avoid coffee in the evening.",
            "Just study all night, sleep is overrated.",
            "Exams are tests that schools give to students.",
        ),
    ),
    (
        "Translate into French: 'The library opens at nine.'",
        (
            "La bibliothèque ouvre à neuf heures.",
            "Bibliothèque ouvre neuf heures.",
            "La librairie est ouverte.",
            "The library opens at nine.",
        ),
    ),
    (
        "Summarise in one sentence: the town built a new bridge because the old one could not carry lorries,"
        " and traffic through the centre has halved since.",
        (
            "A new bridge that can carry lorries has halved the traffic through the town's centre.",
            "The town built a new bridge.",
            "The old bridge was beautiful, and many people miss it.",
            "Lorries lorries bridge bridge town.",
        ),
    ),
    (
        "What causes the seasons on Earth?",
        (
            "The tilt of Earth's axis: each hemisphere leans towards the Sun for half of the year, and then"
            " gets longer days and steeper light.",
            "The axis of the Earth is tilted.",
            "The Earth is nearer to the Sun in summer.",
            "Seasons are caused by the weather forecast.",
        ),
    ),
    (
        "Name three uses of baking soda in the house.",
        (
            "It takes smells out of the refrigerator, scrubs burnt pans, and clears a slow drain together"
            " with vinegar.",
            "Cleaning, baking, and against smells.",
            "You can use it for baking.",
            "Three uses are: one, two and three.",
        ),
    ),
    (
        "Is it safe to eat raw kidney beans?",
        (
            "No. Raw kidney beans hold phytohaemagglutinin, which makes people sick; soak them, then boil"
            " them hard for at least ten minutes.",
            "No, they must be cooked first.",
            "Yes, if they are fresh they are perfectly safe.",
            "Beans come in many colours.",
        ),
    ),
    (
        "Write a haiku about rain.",
        (
            "Rain on the tin roof -\nthe cat counts every footstep\nof the passing cloud.",
            "Rain falls from the sky.\nIt is wet.\nI stay inside today.",
            "Rain is nice and it makes the flowers grow.",
            "A haiku is a Japanese poem with seventeen syllables.",
        ),
    ),
)
