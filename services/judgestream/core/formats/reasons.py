"""Why a row of a file does not become a request, and why a request comes without a label.

Both are counted and shown, never guessed away. A row that is *malformed* (not JSON, a field of a wrong
type) has no reason here: it is an error that names place and field.
"""

from enum import StrEnum


class Aside(StrEnum):
    """A well-formed row that cannot be judged, or whose right reading is uncertain."""

    PROMPT_DIFFERS = "prompt_differs"  # the prompt is not the opening of its conversations
    NO_PROMPT = "no_prompt"  # nothing says where the question ends and the answers begin
    USER_IN_ANSWER = "user_in_answer"  # the answers span several turns of the user
    NO_ANSWER = "no_answer"  # a reply without text, a failed call, or no answer at all
    NOT_TEXT = "not_text"  # an image, a sound, a file
    NO_REFERENCE = "no_reference"  # one answer alone, and no reference answer to judge it by
    NO_PARTNER = "no_partner"  # a join found no other answer to the same question
    NO_QUESTION = "no_question"  # answers or judgements whose question no file has
    NO_CONVERSATION = "no_conversation"  # asked as conversations, and the row holds none
    NO_TEXTS = "no_texts"  # judgements whose answers no file has
    AMBIGUOUS_ID = "ambiguous_id"  # the id that a join needs identifies two different things
    QUESTIONS_DIFFER = "questions_differ"  # joined by an id, but the questions are not the same
    REPEATED = "repeated"  # an earlier row of the same run has the same id and content
    NOT_A_COMPARISON = "not_a_comparison"  # a known kind of row that holds no answers to compare
    NO_CHOICE = "no_choice"  # a label that names neither a winner nor a tie
    CONTRADICTION = "contradiction"  # a label that names a winner and a tie
    DOCUMENT_COUNT = "document_count"  # a query with fewer or more documents than one request takes
    UNKNOWN_PROMPT = "unknown_prompt"  # a judge's prompt whose form is not a published one


class NoLabel(StrEnum):
    """A request without the label that its row seems to carry."""

    IDENTICAL_ANSWERS = "identical_answers"
    EQUAL_SCORES = "equal_scores"  # the row names a winner, its scores name none
    SCORES_CONTRADICT = "scores_contradict"  # the scores say the opposite of the named winner
    NO_WINNER = "no_winner"  # neither a winner nor a tie
    UNKNOWN_WINNER = "unknown_winner"  # a word that names none of the answers
    UNREADABLE_JUDGEMENT = "unreadable_judgement"  # the teacher failed or could not be parsed
    OTHER_REFERENCE_USE = "other_reference_use"  # given with (without) the reference, asked without
    NOT_A_PAIR = "not_a_pair"  # labels name winners, and one answer cannot win
