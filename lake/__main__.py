"""`python -m lake` is `lake`."""

import sys

from lake.cli import main

if __name__ == "__main__":
    sys.exit(main())
