"""What is learned of a sequence: a class, several, numbers, or a class for each step; each with its loss and scores."""

from auxrnn.targets.base import Labels as Labels
from auxrnn.targets.base import Target as Target
from auxrnn.targets.classes import ClassTarget as ClassTarget
from auxrnn.targets.kinds import KINDS as KINDS
from auxrnn.targets.kinds import SCORES as SCORES
from auxrnn.targets.kinds import as_target as as_target
from auxrnn.targets.kinds import target_of as target_of
from auxrnn.targets.labelling import UNLABELLED as UNLABELLED
from auxrnn.targets.multilabel import ClassesTarget as ClassesTarget
from auxrnn.targets.scores import BALANCED as BALANCED
from auxrnn.targets.tags import TagsTarget as TagsTarget
from auxrnn.targets.values import ValueTarget as ValueTarget
