"""Draw the learning curves of recorded runs, one line a run: python benchmarks/curves.py results/mnist784.jsonl

Reads the record (`auxrnn record` makes one of run folders) and writes a PNG of its name beside it. The lower axis
counts epochs of both phases.
"""

from __future__ import annotations

import sys
from pathlib import Path

from auxrnn.experiments.grids.records import read_records
from auxrnn.report.figures import draw_curves


def main() -> int:
    file = Path(sys.argv[1])
    curves = {name: [record.points()] for name, record in read_records(file).items() if record.points()}
    draw_curves(curves, title=file.stem).save(file.with_suffix(".png"))
    for name, (curve,) in curves.items():
        best = max(curve, key=lambda point: point[1])
        print(f"{name:<20} best {best[1]:.1f} % at epoch {best[0]:.0f} of {curve[-1][0]:.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
