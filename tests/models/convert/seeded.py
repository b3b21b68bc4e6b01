"""Weights and pictures that anybody can make again from names and shapes alone.

Each tensor is drawn from a generator seeded with the CRC-32 of its name, so that the order of the
tensors and the library that makes them do not matter.
"""

import zlib

import numpy as np


def generator(name):
    return np.random.default_rng(zlib.crc32(name.encode()))


def tensor(name, shape):
    """Values for a tensor: weights that keep activations in range, norms away from the identity."""
    rng = generator(name)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("running_var"):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if len(shape) == 4:
        values = rng.standard_normal(shape, dtype=np.float32)
        return values * np.float32((2 / np.prod(shape[1:])) ** 0.5)
    values = rng.standard_normal(shape, dtype=np.float32) * np.float32(0.1)
    return values + np.float32(1) if name.endswith("weight") else values


def weights(shapes):
    return {name: tensor(name, tuple(shape)) for name, shape in shapes.items()}


def picture(name, side):
    """A picture (1, 3, side, side) of whole numbers in [0, 255], channels as the net's."""
    return generator(name).integers(0, 256, (1, 3, side, side)).astype(np.float32)
