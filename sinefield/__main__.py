"""`python -m sinefield` is `sinefield`."""

from sinefield.cli.main import main

if __name__ == "__main__":
    main()
