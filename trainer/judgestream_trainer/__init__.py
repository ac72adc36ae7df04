"""Making judges: generated tasks, labelling, augmentation, training, evaluation, publication."""
