"""Runs the comparison."""

import sys

from tests.benchmarks.languages.comparison import main

sys.exit(main())
