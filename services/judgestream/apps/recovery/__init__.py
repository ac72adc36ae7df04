"""Recovery: Redis rebuilt from the topics, and backups of topics, group offsets and releases."""
