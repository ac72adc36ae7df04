"""Swapping of the answers' names in an explanation: `Assistant 1` for `Assistant 2`, in any wording.

The text is split into words, and each word that may refer to one of the two answers is classified by its
neighbours. It refers to an answer ("Answer 2", "the first response"), to something else ("answer 2 km", "the
first step"), or its context is ambiguous ("the answer 2", "the second is worse"). An ambiguous word makes the
whole text unswappable. The classification does not depend on which of the two answers is named, so swapping
twice restores the text.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

_PAIRS = (
    ("1", "2"),
    ("a", "b"),
    ("one", "two"),
    ("first", "second"),
    ("1st", "2nd"),
    ("former", "latter"),
)
_OTHER: Mapping[str, str] = MappingProxyType(
    {word: other for pair in _PAIRS for word, other in (pair, pair[::-1])}
)

# A number with its decimals, a numeric ordinal, letters, or any other character that is not white space.
_WORD = re.compile(
    r"\d+(?:st|nd)(?![^\W_])|\d+(?:[.,]\d+)*|[A-Za-z]+|\n|[^\s\u00a0\u2009\u202f]", re.ASCII
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MINDS = _words("assistant assistants model models candidate candidates chatbot chatbots bot bots")
_TEXTS = _words(
    "answer answers response responses reply replies output outputs solution solutions completion completions"
)
_NOUNS = _MINDS | _TEXTS
_ORDINALS = _words("first second 1st 2nd")
_SIGNS = _words("# no number nr")
_LINKS = _words(", and & or / to vs versus - \u2013")
_BETWEEN = _words("ai given provided shown listed generated")
_MEMBERS = (_words("1 2"), _words("one two"))
_UNITS = _words(
    "% \u00b0 km cm mm m kg g mg lb lbs mile miles meter meters metre metres foot feet inch inches seconds"
    " minute minutes hour hours day days week weeks month months year years time times percent dollar"
    " dollars euro euros point points word words sentence sentences paragraph paragraphs question questions"
    " example examples step steps item items thing things part parts people person persons cup cups of"
)
_COMPOUNDS = _words(
    "time times rate rates length lengths format formats key keys option options choice choices"
)
_CONTENT = _words("correct right wrong incorrect final true exact same numeric numerical only")
_ENDS = {"\n"} | _words('. , ; : ! ? ) ] " \u201d')
_CLAUSES = _ENDS | _words(
    "' \u2019 is are was were has had does did do gives gave provides provided offers offered states stated"
    " says said fails failed contains contained lacks lacked explains explained covers covered mentions"
    " mentioned makes made on in for with and or but while whereas than because since as by also only both"
    " would could should can cannot"
)
_OPENERS = {"\n"} | _words(
    '. , ; : ! ? ( [ " \u201c and or than of to while but whereas both between that in with for from because'
    " beats is are vs versus over so"
)
_COMPARED = _words("than over beats beat vs versus")


def swap_names(text: str) -> str | None:
    """The text with the two answers' names swapped, or None if a reference is ambiguous.

    `Assistant 10`, `the first step` and `answer 2 km` do not refer to the answers and stay unchanged.
    """
    matches = list(_WORD.finditer(text))
    reader = _Reader([match[0] for match in matches], [match[0].lower() for match in matches])
    for index, match in enumerate(matches):
        if index and match.start() == matches[index - 1].end():
            reader.joined.add(index)
    if not reader.read():
        return None
    parts: list[str] = []
    end = 0
    for index in sorted(reader.named):
        other = _in_the_case_of(matches[index][0])
        if other is None:
            return None
        parts += [text[end : matches[index].start()], other]
        end = matches[index].end()
    return "".join([*parts, text[end:]])


class _Reader:
    """Classifies the words by index.

    named   words that refer to an answer
    joined  words without white space before them
    """

    def __init__(self, words: Sequence[str], lower: Sequence[str]) -> None:
        self.words = words
        self.lower = lower
        self.named: set[int] = set()
        self.joined: set[int] = set()

    def read(self) -> bool:
        """Classify all words. Returns False if one is ambiguous."""
        bare: list[int] = []
        turned: list[int] = []
        for index, word in enumerate(self.lower):
            settled = True
            if word in _NOUNS:
                settled = self._numbered(index)
            elif word in _ORDINALS and index not in self.named:
                if not self._ordinal(index) and self._stands_alone(index):
                    bare.append(index)
            elif word in ("former", "latter") and self._is_noun(index):
                turned.append(index)
            elif word in ("1", "2") and index not in self.named:
                settled = not self._abbreviated(index)
            if not settled:
                return False
        return self._bare(bare) and self._turned(turned)

    def _numbered(self, index: int) -> bool:
        """A noun followed by a number or letter: `Assistant 1`, `answers A and B`, `Response #2`."""
        noun, members = self.lower[index], self._members(index + 1)
        if not members:
            return True
        last = members[-1]
        letters = self.words[members[0]] in ("A", "B")
        listed = len(members) > 1
        if noun in _MINDS or letters or (noun.endswith("s") and listed):
            word_of_number = self.lower[members[0]] in _MEMBERS[1]
            if not (word_of_number and not listed and self._word(last + 1) in _UNITS):
                self.named.update(members)
            return True
        if not listed and (self._word(last + 1) in _UNITS or self._before(index) in _CONTENT):
            return True
        if not listed and self._possessed(index):
            return True
        if listed or self.words[index][0].isupper():
            self.named.update(members)
            return True
        if self._before(index) in _OPENERS and self._word(last + 1) in _CLAUSES:
            self.named.update(members)
            return True
        return False

    def _members(self, index: int) -> list[int]:
        """The indices of the number after a noun and of the rest of a list: `1`, `#1 and #2`, `1/2`."""
        first = self._member(index)
        if first is None:
            return []
        members = [first]
        while True:
            link = members[-1] + 1
            if self._word(link) == "," and self._word(link + 1) in ("and", "or"):
                link += 1
            following = self._member(link + 1) if self._word(link) in _LINKS else None
            if following is None or self._kind(following) != self._kind(first):
                return members
            members.append(following)

    def _member(self, index: int) -> int | None:
        while self._word(index) in _SIGNS or (
            self._word(index) == "." and self._word(index - 1) in ("no", "nr")
        ):
            index += 1
        return index if self._kind(index) is not None else None

    def _kind(self, index: int) -> int | None:
        word = self._word(index)
        if index < len(self.words) and self.words[index] in ("A", "B"):
            return 2
        return next((k for k, members in enumerate(_MEMBERS) if word in members), None)

    def _ordinal(self, index: int) -> bool:
        """`the first answer`, `the first and second AI assistants`."""
        members, end = [index], index + 1
        if self._word(end) in _LINKS and self._word(end + 1) in _ORDINALS:
            members.append(end + 1)
            end += 2
        while self._word(end) in _BETWEEN or (
            self._word(end) in _MINDS and self._word(end + 1) in _NOUNS
        ):
            end += 1
        if self._word(end) not in _NOUNS:
            return False
        if self._word(end) in _TEXTS and self._word(end + 1) in _COMPOUNDS:
            return True
        self.named.update(members)
        return True

    def _stands_alone(self, index: int) -> bool:
        """`the second.`, `the first is`, `the first one`: possibly an answer."""
        following = index + 2 if self._word(index + 1) in ("one", "ones") else index + 1
        return self._word(following) in _CLAUSES | {""} and (
            self._before(index) == "the" or self._before(index) in _COMPARED
        )

    def _bare(self, places: Sequence[int]) -> bool:
        """An ordinal without a noun refers to an answer if one with a noun in the same sentence does."""
        for index in places:
            if not any(
                self.lower[k] in _ORDINALS for k in self._sentence(index) if k in self.named
            ):
                return False
        self.named.update(places)
        return True

    def _turned(self, places: Sequence[int]) -> bool:
        """`the former` is the answer named first in the text, or, without one, the answer shown first."""
        for index in places:
            before = sum(k < index for k in self.named if self.lower[k] not in ("former", "latter"))
            if before == 1:
                return False
            if before == 0:
                self.named.add(index)
        return True

    def _is_noun(self, index: int) -> bool:
        return self._before(index) == "the" and self._word(index + 1) in _CLAUSES | _NOUNS | {""}

    def _abbreviated(self, index: int) -> bool:
        """`A1`, or `better than 2`: possibly an answer."""
        short = index in self.joined and self.lower[index - 1] in ("a", "b", "r")
        return short or (self._before(index) in _COMPARED and self._word(index + 1) in _ENDS | {""})

    def _possessed(self, index: int) -> bool:
        """`Assistant 1's answer`."""
        return self._before(index) == "s" and self._word(index - 2) in ("'", "\u2019")

    def _sentence(self, index: int) -> range:
        start = end = index
        while start > 0 and self.lower[start - 1] not in (".", "!", "?", "\n"):
            start -= 1
        while end + 1 < len(self.lower) and self.lower[end + 1] not in (".", "!", "?", "\n"):
            end += 1
        return range(start, end + 1)

    def _word(self, index: int) -> str:
        return self.lower[index] if 0 <= index < len(self.lower) else ""

    def _before(self, index: int) -> str:
        """The word before; the beginning of the text counts as a line end."""
        return self.lower[index - 1] if index > 0 else "\n"


def _in_the_case_of(word: str) -> str | None:
    """The other word in the same case; None for irregular case ("fIRst")."""
    other = _OTHER[word.lower()]
    for style in (str.lower, str.capitalize, str.upper):
        if style(word) == word:
            return style(other)
    return None
