"""The supervised and the auxiliary losses, each with the windows that it needs, and their one walk over a batch."""

from auxrnn.core.objectives.base import Draw as Draw
from auxrnn.core.objectives.base import Objective as Objective
from auxrnn.core.objectives.base import losses_of_draws as losses_of_draws
from auxrnn.core.objectives.base import objective_losses as objective_losses
from auxrnn.core.objectives.prediction import Prediction as Prediction
from auxrnn.core.objectives.reconstruction import Reconstruction as Reconstruction
from auxrnn.core.objectives.supervised import Supervised as Supervised
from auxrnn.core.objectives.supervised import label_loss as label_loss
from auxrnn.core.objectives.supervised import output_head as output_head
from auxrnn.core.objectives.tagging import SupervisedSteps as SupervisedSteps
from auxrnn.targets.losses import Loss as Loss
