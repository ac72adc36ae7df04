"""`python -m judgestream.apps.cli`: the same as the `judgestream` command."""

from judgestream.apps.cli import main

if __name__ == "__main__":
    main()
