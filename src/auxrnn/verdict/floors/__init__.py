"""Floors: models that cost about a second, which any trained network must beat to be worth its training."""

from auxrnn.verdict.floors.measured import Floor as Floor
from auxrnn.verdict.floors.measured import Floors as Floors
from auxrnn.verdict.floors.measured import Judged as Judged
from auxrnn.verdict.floors.measured import measure_floors as measure_floors
