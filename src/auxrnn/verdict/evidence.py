"""The numbers that a verdict follows from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from auxrnn.verdict.floors import Floor, Floors
from auxrnn.verdict.paired import Difference, paired_difference


@dataclass(frozen=True)
class Rival:
    """A floor or the trivial answer beside the model; `difference` is the model's score less this one's."""

    name: str
    score: float
    difference: Difference


@dataclass(frozen=True)
class Evidence:
    """The numbers that a verdict follows from.

    Attributes
    ----------
    score : str
        Name of the score, in `scores.SCORES`.
    value : float
        The model's score.
    part : {"test", "validation"}
        Which sequences are judged.
    sequences, of : int
        How many of how many sequences of that part.
    trivial, floor : Rival
        The answer without a look at the sequence; the best floor on validation data, which may be the trivial answer.
    train, validation : tuple of float
        The score at each validated epoch; empty where there is no curve.
    validated : int
        Sequences that were validated.
    """

    score: str
    value: float
    part: Literal["test", "validation"]
    sequences: int
    of: int
    trivial: Rival
    floor: Rival
    train: tuple[float, ...] = ()
    validation: tuple[float, ...] = ()
    validated: int = 0


def gather_evidence(
    floors: Floors,
    tallies: Tensor,
    part: Literal["test", "validation"],
    rows: Sequence[Mapping[str, Any]],
    held_out: int,
) -> Evidence:
    """Gather the evidence on a model from its answers to all sequences of the test or validation set.

    floors: of the same data. tallies: (N, sums), one for each sequence of `part`. rows: the learning curve, as training
    gives it. held_out: how many sequences were validated.
    """
    judged = floors.test if part == "test" else floors.validation
    assert judged is not None
    target = floors.target
    ours = tallies[judged.rows]

    def rival(floor: Floor) -> Rival:
        theirs = floor.test if part == "test" else floor.validation
        assert theirs is not None
        return Rival(floor.name, floors.score(theirs), paired_difference(target, ours, theirs, floors.by))

    trivial = rival(floors.trivial)
    floor = trivial if floors.best is floors.trivial else rival(floors.best)
    validated = [row for row in rows if row.get(f"validation_{target.score}") is not None]
    return Evidence(
        floors.score_name,
        floors.score(ours),
        part,
        len(judged.rows),
        judged.total,
        trivial,
        floor,
        tuple(float(row.get(f"train_{target.score}", float("nan"))) for row in validated),
        tuple(float(row[f"validation_{target.score}"]) for row in validated),
        held_out,
    )
