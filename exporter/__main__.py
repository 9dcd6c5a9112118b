"""`python -m exporter` is `voice-exporter`."""

import sys

from exporter.cli import main

if __name__ == "__main__":
    sys.exit(main())
