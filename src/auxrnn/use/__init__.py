"""A trained model as a folder, its answers, endless input and other formats."""
