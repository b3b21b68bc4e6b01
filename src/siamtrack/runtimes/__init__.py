"""siamtrack.runtimes."""
