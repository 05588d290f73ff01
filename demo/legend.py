"""A colour ramp and its legend, drawn with a font of twelve characters rather than a plotting library."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cutline.quicklook import COLOURS

GLYPHS = {
    "0": "### #.# #.# #.# ###",
    "1": ".#. ##. .#. .#. ###",
    "2": "### ..# ### #.. ###",
    "3": "### ..# .## ..# ###",
    "4": "#.# #.# ### ..# ..#",
    "5": "### #.. ### ..# ###",
    "6": "### #.. ### #.# ###",
    "7": "### ..# .#. .#. .#.",
    "8": "### #.# ### #.# ###",
    "9": "### #.# ### ..# ###",
    "-": "... ... ### ... ...",
    ".": "... ... ... ... .#.",
}

SCALE, WIDTH, HEIGHT, PAD = 2, 220, 14, 8


def draw_legend(picture: npt.NDArray[np.uint8], low: float, high: float) -> None:
    """Into the lower left corner: the ramp, and what its ends and its middle stand for. Tiny pictures get none."""
    rows, cols, _ = picture.shape
    panel = np.full((HEIGHT + 5 * SCALE + 3 * PAD, WIDTH + 6 * PAD, 4), 255, np.uint8)
    if panel.shape[0] > rows // 4 or panel.shape[1] > cols // 2:
        return
    left = 3 * PAD
    for channel in range(3):
        colours = np.interp(np.linspace(0, 1, WIDTH), np.linspace(0, 1, len(COLOURS)), COLOURS[:, channel])
        panel[PAD : PAD + HEIGHT, left : left + WIDTH, channel] = colours
    for share in (0.0, 0.5, 1.0):
        text = _text(f"{low + share * (high - low):.2f}")
        top, start = 2 * PAD + HEIGHT, left + round(share * WIDTH) - text.shape[1] // 2
        panel[top : top + text.shape[0], start : start + text.shape[1], :3][text] = 40
    picture[rows - panel.shape[0] - PAD : rows - PAD, PAD : PAD + panel.shape[1]] = panel


def _text(text: str) -> npt.NDArray[np.bool_]:
    """Black where a letter is."""
    letters = [np.array([[dot == "#" for dot in f"{row}."] for row in GLYPHS[letter].split()]) for letter in text]
    return np.kron(np.hstack(letters), np.ones((SCALE, SCALE), bool))
