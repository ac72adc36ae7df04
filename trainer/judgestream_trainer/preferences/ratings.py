"""Ratings from 1 to 10 as grades in log-odds, and back."""

MIDDLE = 5.5
PER_POINT = 0.8


def grade_of_rating(rating: float) -> float:
    """0 for a rating of 5.5, and 0.8 per point: 10 beats 1 with log-odds of 7.2."""
    return (rating - MIDDLE) * PER_POINT


def rating_of_grade(grade: float) -> float:
    """The inverse, clipped to 1 to 10."""
    return min(10.0, max(1.0, MIDDLE + grade / PER_POINT))
