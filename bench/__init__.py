"""Measures usherd on this machine: ratios within one run, medians and spread."""

import sys
from pathlib import Path

# The tests' keys serve here, too.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
