"""Minimization: the loop, the loss, optimizers, recipes and checkpoints."""
