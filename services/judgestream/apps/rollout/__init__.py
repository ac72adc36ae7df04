"""Rolling out judges on evidence. `policy.yaml` is the default policy of the evidence gate."""
