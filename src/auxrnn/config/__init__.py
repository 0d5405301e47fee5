"""Every setting of a run, as plain frozen dataclasses: what the command line, the YAML file and a run folder hold.

Imports no torch, so that the command line can show its options at once. Components take plain arguments; only what
builds, trains, saves or wraps a whole model reads these.
"""

from auxrnn.config.auxiliary import AUXILIARY_DEFAULTS as AUXILIARY_DEFAULTS
from auxrnn.config.auxiliary import MODEL_DEFAULTS as MODEL_DEFAULTS
from auxrnn.config.auxiliary import AuxiliaryConfig as AuxiliaryConfig
from auxrnn.config.checks import checked_setting as checked_setting
from auxrnn.config.model import MODELS as MODELS
from auxrnn.config.model import OWN_CORE as OWN_CORE
from auxrnn.config.model import ModelConfig as ModelConfig
from auxrnn.config.model import TransformerConfig as TransformerConfig
from auxrnn.config.model import steps_or_none as steps_or_none
from auxrnn.config.recipes import RECIPES as RECIPES
from auxrnn.config.recipes import recipe_settings as recipe_settings
from auxrnn.config.run import GROUPS as GROUPS
from auxrnn.config.run import RunConfig as RunConfig
from auxrnn.config.run import seconds_of as seconds_of
from auxrnn.config.run import with_groups as with_groups
from auxrnn.config.training import TrainingConfig as TrainingConfig
