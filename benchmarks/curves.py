"""Draw the learning curves of the runs in a folder, one line a run: python benchmarks/curves.py results/mnist784

Reads each run's metrics.csv and writes curves.png beside them. The lower axis counts epochs of both phases.
"""

from __future__ import annotations

import sys
from pathlib import Path

from auxrnn.report.figures import draw_curves
from auxrnn.runs.folder import RunFolder, read_curve


def main() -> int:
    folder = Path(sys.argv[1])
    runs = sorted(path.parent for path in folder.glob("*/metrics.csv"))
    curves = {run.name: [read_curve(RunFolder(run))] for run in runs}
    curves = {name: runs for name, runs in curves.items() if runs[0]}
    draw_curves(curves, title=folder.name).save(folder / "curves.png")
    for name, (curve,) in curves.items():
        best = max(curve, key=lambda point: point[1])
        print(f"{name:<20} best {best[1]:.1f} % at epoch {best[0]:.0f} of {curve[-1][0]:.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
