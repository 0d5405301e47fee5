"""Floors: models that cost about a second, which any trained network must beat to be worth its training."""

from auxrnn.floors.measured import Floor as Floor
from auxrnn.floors.measured import Floors as Floors
from auxrnn.floors.measured import Judged as Judged
from auxrnn.floors.measured import measure_floors as measure_floors
