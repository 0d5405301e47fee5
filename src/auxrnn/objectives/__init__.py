"""What is learned: the supervised loss and the auxiliary ones, each naming the windows it needs; and their one walk."""

from auxrnn.objectives.base import Draw as Draw
from auxrnn.objectives.base import Loss as Loss
from auxrnn.objectives.base import Objective as Objective
from auxrnn.objectives.base import objective_losses as objective_losses
from auxrnn.objectives.prediction import Prediction as Prediction
from auxrnn.objectives.reconstruction import Reconstruction as Reconstruction
from auxrnn.objectives.supervised import Supervised as Supervised
from auxrnn.objectives.supervised import classifier_head as classifier_head
from auxrnn.objectives.supervised import label_loss as label_loss
