"""What is to be reached, and Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One promise and what became of it."""

    what: str
    figure: float | None
    """None: there is none, because something failed or was not run"""
    bound: float
    at_least: bool
    """Else at most"""
    unit: str = "×"

    @property
    def reached(self) -> bool:
        return self.figure is not None and (self.figure >= self.bound if self.at_least else self.figure <= self.bound)

    def row(self) -> list[str]:
        figure = "–" if self.figure is None else self._written(self.figure)
        sense = "≥" if self.at_least else "≤"
        return [self.what, figure, f"{sense} {self._written(self.bound)}", "✓" if self.reached else "✗"]

    def _written(self, value: float) -> str:
        return f"{value:,.0f} {self.unit}" if self.unit == "MB" else f"{value:.2f} {self.unit}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown. The first column is text, the others are numbers."""
    lines = [list(headings), ["---"] + ["--:"] * (len(headings) - 1), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def target_table(targets: Iterable[Target]) -> str:
    return table(("what", "measured", "to reach", "reached"), [target.row() for target in targets])
