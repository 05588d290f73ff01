import sys
from pathlib import Path

# tests.support is imported by its full name.
ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)
