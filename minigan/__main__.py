"""`python -m minigan`: the command line."""

import sys

from minigan.tool.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
