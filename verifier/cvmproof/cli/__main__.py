"""`python -m cvmproof.cli`: the command line where the `cvmproof` script is not at hand."""

from cvmproof.cli.main import main

if __name__ == "__main__":
    main()
