"""The tables of `peers.py`: functions of its record."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from peer_models import MODELS

from auxrnn.report.tables import markdown_table

Record = dict[str, Any]
Cell = Callable[[list[Record]], str]


def tables(records: list[Record]) -> str:
    """Markdown: the sets, accuracy, seconds, memory, and why some cells are empty."""
    by_case: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        own, model, _ = record["run"].split("/")
        by_case.setdefault((own, model), []).append(record)
    names = list(dict.fromkeys(own for own, _ in by_case))
    models = [name for name in MODELS if any(name == model for _, model in by_case)]

    def table(what: str, cell: Cell, columns: list[str]) -> str:
        rows = [[own, *(_measured(by_case.get((own, model), []), cell) for model in columns)] for own in names]
        return f"**{what}**\n\n{markdown_table(['set', *columns], rows)}"

    trained = [name for name in models if name != "majority class"]
    parts = [
        _sets(names, by_case),
        table("Test accuracy, % (median; least to greatest of several seeds in brackets)", accuracies, models),
        table("CPU seconds of fit, and of predicting the test set", _seconds, trained),
        table("Peak memory of fit beyond the data and the libraries, MiB", _memory("fit_mib"), trained),
        table("Peak memory of one answer on the longest test sequence, MiB", _memory("answer_mib"), trained),
        _stops(records),
    ]
    return "\n\n".join(part for part in parts if part)


def _measured(records: list[Record], cell: Cell) -> str:
    done = [record["result"] for record in records if "result" in record]
    return cell(done) if done else "stopped" if records else ""


def accuracies(results: list[Record]) -> str:
    """The median in %, with the least and greatest of several."""
    found = sorted(100 * result["accuracy"] for result in results)
    spread = f" ({found[0]:.1f} to {found[-1]:.1f})" if len(found) > 1 else ""
    return f"{statistics.median(found):.1f}{spread}"


def _seconds(results: list[Record]) -> str:
    fit, predict = (
        statistics.median(result[name] for result in results) for name in ("fit_seconds", "predict_seconds")
    )
    return f"{_short(fit)} + {_short(predict)}"


def _memory(name: str) -> Cell:
    def cell(results: list[Record]) -> str:
        found = [result[name] for result in results if name in result]
        return _short(statistics.median(found)) if found else "stopped"

    return cell


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _sets(names: list[str], by_case: dict[tuple[str, str], list[Record]]) -> str:
    rows = []
    for own in names:
        records = [record for (name, _), found in by_case.items() if name == own for record in found]
        facts = next((record["data"] for record in records if "data" in record), None)
        if facts is None:
            continue
        least, median, most = facts["steps"]
        steps = f"{least:,}" if least == most else f"{least:,} / {median:,} / {most:,}"
        sizes = [str(facts[name]) for name in ("channels", "classes", "train", "test")]
        rows.append([own, steps, *sizes, f"{facts['mib']:,.1f}"])
    header = ["set", "steps (min / median / max)", "channels", "classes", "to train", "to test", "MiB to train"]
    return f"**Sets**\n\n{markdown_table(header, rows)}"


def _stops(records: list[Record]) -> str:
    stops = [f"- {record['run']}: {record['stopped']}." for record in records if "stopped" in record]
    answers = {
        record["run"]: record["result"]["answer_stopped"]
        for record in records
        if "answer_stopped" in record.get("result", ())
    }
    stops += [f"- {name}, one answer: {reason}." for name, reason in answers.items()]
    return "\n".join(["**Stopped**", "", *stops]) if stops else ""
