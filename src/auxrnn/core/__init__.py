"""What a batch walks through: stems, cores, windows, losses and the models that they make up."""
