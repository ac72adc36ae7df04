"""Makes judges: tasks with computed truth, augmentation, training, evaluation, publication."""
