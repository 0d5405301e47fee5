"""The supervised and the auxiliary losses, each with the windows that it needs, and their one walk over a batch."""

from auxrnn.losses import Loss as Loss
from auxrnn.objectives.base import Draw as Draw
from auxrnn.objectives.base import Objective as Objective
from auxrnn.objectives.base import losses_of_draws as losses_of_draws
from auxrnn.objectives.base import objective_losses as objective_losses
from auxrnn.objectives.prediction import Prediction as Prediction
from auxrnn.objectives.reconstruction import Reconstruction as Reconstruction
from auxrnn.objectives.supervised import Supervised as Supervised
from auxrnn.objectives.supervised import label_loss as label_loss
from auxrnn.objectives.supervised import output_head as output_head
from auxrnn.objectives.tagging import SupervisedSteps as SupervisedSteps
