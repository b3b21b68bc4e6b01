"""How a frame becomes a box: crops, network, decoder, classifier, state."""
