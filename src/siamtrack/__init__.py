"""Siamese visual object tracking."""
