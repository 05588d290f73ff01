import sys
from pathlib import Path

# demo/ stands beside src/, it is not installed.
ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)
