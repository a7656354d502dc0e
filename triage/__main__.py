"""``python -m triage``: the same as the console script."""

from triage.cli import main

if __name__ == "__main__":
    main()
