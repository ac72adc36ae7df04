"""Shared by every command line: exit codes, output, common options, and one handler for errors."""
