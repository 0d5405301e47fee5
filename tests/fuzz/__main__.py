"""`python -m fuzz`: each format in a process of its own, one after the other; exit code 1 where something was found."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

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
    parser.add_argument("--out", type=Path, help="write the counts to this JSON file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    counts = {}
    for name in options.format or FORMATS:
        found = campaign_alone(name, options.inputs, options.seed, kept=options.findings)
        counts[name] = {
            "inputs": found.inputs,
            "read": found.verdicts[READ],
            "refused": found.verdicts[REFUSED],
            "findings": found.findings,
            "seconds": round(found.seconds, 1),
        }
        print(name, json.dumps(counts[name]), flush=True)
    total = sum(count["inputs"] for count in counts.values())
    findings = sum(sum(count["findings"].values()) for count in counts.values())
    print(f"{total:,} files, {findings:,} findings")
    if options.out:
        about = {name: describe_environment()[name] for name in ("processor", "python")}
        content = {**about, "seed": options.seed, "inputs": total, "findings": findings, "formats": counts}
        options.out.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return int(findings > 0)


if __name__ == "__main__":
    raise SystemExit(main())
