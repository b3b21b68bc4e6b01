"""What every layer above uses: boxes, images, files, settings, registries."""
