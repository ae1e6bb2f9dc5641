"""The engines: each is imported in the process that runs it, and nowhere else."""
