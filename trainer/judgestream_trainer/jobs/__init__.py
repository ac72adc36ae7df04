"""The work behind each command. A job gets checked options and a console, and returns an exit code."""
