"""Pure statistics of plain lists: agreement, chance correction, majority, position bias, intervals."""
