"""Models to compare with, in the same harness: a transformer, the iRNN and the uRNN. None needs an auxiliary loss."""
