"""A Lightning module of your own around the network of this package, with any loader and any callback of yours."""

import logging

import lightning
import torch
from torch.utils.data import DataLoader, TensorDataset

from auxrnn import Encoder, InputSpec, Reconstruction, SequenceBatch, SequenceClassifier
from auxrnn.core.anchors import step_generator


class LongSequences(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        encoder = Encoder(InputSpec("pixels", 1), hidden_size=16, projection_size=None)
        auxiliaries = {"reconstruct": Reconstruction(encoder, num_anchors=2, segment_length=10, bptt=5, hidden_size=16)}
        self.network = SequenceClassifier(encoder, 2, auxiliaries, bptt=5)

    def training_step(self, batch, index):
        inputs, labels = batch
        lengths = torch.full((len(inputs),), inputs.shape[1])
        sequences = SequenceBatch(inputs, lengths, labels)
        generator = step_generator(0, self.global_step, self.global_rank)  # other anchors at each step and rank
        losses = self.network.losses(sequences, ["supervised", "reconstruct"], 0.5, generator)
        scores = self.network.target.scores(losses["supervised"].tally)
        self.log("accuracy", scores["accuracy"], prog_bar=True)
        return losses["supervised"].mean + 0.5 * losses["reconstruct"].mean

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


torch.manual_seed(0)
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
labels = torch.randint(0, 2, (64,))
images = torch.randint(0, 100, (64, 40, 1)) + 100 * labels[:, None, None]
loader = DataLoader(TensorDataset(images.to(torch.uint8), labels), batch_size=16)
trainer = lightning.Trainer(
    max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
)
trainer.fit(LongSequences(), loader)
print(f"training accuracy of the last step: {trainer.callback_metrics['accuracy'].item():.2f}")
