"""`python -m fuzz`: each format in a process of its own, one after the other; exit code 1 where something was found."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from auxrnn.runs.environment import describe_environment
from fuzz.campaign import READ, REFUSED, campaign_alone
from fuzz.formats import FORMATS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Damaged files for every parser.")
    parser.add_argument("--inputs", type=int, default=1000, help="files of each format")
    parser.add_argument("--format", choices=FORMATS, action="append", help="one of them; all when left out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="folder for what was found")
    parser.add_argument("--out", type=Path, help="add the counts to this JSON file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = False
    for name in options.format or FORMATS:
        outcome = campaign_alone(name, options.inputs, options.seed, kept=options.findings)
        count = {
            "inputs": outcome.inputs,
            "read": outcome.verdicts[READ],
            "refused": outcome.verdicts[REFUSED],
            "findings": outcome.findings,
            "seconds": round(outcome.seconds, 1),
        }
        print(name, json.dumps(count), flush=True)
        found = found or bool(outcome.findings)
        if options.out:
            add(options.out, name, {"seed": options.seed, **count})
    return int(found)


def add(out: Path, name: str, count: dict[str, Any]) -> None:
    """Another campaign among those that the file holds."""
    about = {part: describe_environment()[part] for part in ("processor", "python")}
    content = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {**about, "inputs": 0, "campaigns": {}}
    content["campaigns"].setdefault(name, []).append(count)
    content["inputs"] += count["inputs"]
    out.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
