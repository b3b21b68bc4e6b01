"""`python -m siamtrack` is the command `siamtrack`."""

from siamtrack.cli import main

if __name__ == "__main__":
    main()
