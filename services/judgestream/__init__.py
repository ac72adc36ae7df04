"""A streaming judge: model outputs in over Kafka, settled verdicts and bias metrics out."""
