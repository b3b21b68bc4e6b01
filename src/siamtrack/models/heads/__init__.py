"""siamtrack.models.heads."""
