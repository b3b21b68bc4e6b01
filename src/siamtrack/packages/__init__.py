"""Model folders: read and verified, written, quantized."""
