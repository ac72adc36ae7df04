"""The files of deploy/, checked without a container engine or a cluster."""
