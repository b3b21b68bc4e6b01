"""Numbers from the bytes of plain text files, many files at once, in a few passes of NumPy.

Plain files are what trackers write: digits with the same number of decimals everywhere, one comma,
tab or space between them, a row per line. All others are for `siamtrack.core.text`, which is slower
and knows what is wrong with them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array

_COMMA, _TAB, _SPACE, _NEWLINE, _MINUS, _DOT, _ZERO = (ord(x) for x in ",\t \n-.0")
_DIGITS = 15  # as many are exact in a float64
_PAD = b"\n" * (_DIGITS + 3)  # so that looking back from the first number stays inside the bytes

Bytes = NDArray[np.uint8]
Ints = NDArray[np.intp]


def plain_rows(texts: Sequence[bytes], columns: Collection[int]) -> list[Array] | None:
    r"""Return the rows of each text (N, columns), or None if any of them is not plain.

    The numbers are those of `float`, to the last bit: digits are collected as an integer, and
    dividing that by a power of ten rounds once.

    Args:
        texts: Contents of the files.
        columns: Allowed numbers of columns; all files must have the same one.

    Example:
        >>> [rows.tolist() for rows in plain_rows([b"1.5,-20.0", b"3.0,4.5\n0.0,7.0\n"], (2,))]
        [[[1.5, -20.0]], [[3.0, 4.5], [0.0, 7.0]]]
        >>> plain_rows([b"1.5,nan"], (2,)) is None
        True
    """
    if not texts:
        return None
    parts = [text.rstrip() for text in texts]
    if any(b"\r" in part for part in parts):
        parts = [part.replace(b"\r\n", b"\n") for part in parts]
    head = parts[0].partition(b"\n")[0]
    row = head.replace(b"\t", b",").replace(b" ", b",").split(b",")
    if len(row) not in columns:
        return None
    text = b"\n".join([_PAD + parts[0], *parts[1:], b""])
    codes = np.frombuffer(text, np.uint8)[len(_PAD) - 1 :]
    bounds = np.flatnonzero(codes < _MINUS)  # what stands before, between and after the numbers
    ends = bounds[1:]
    if not _separated(codes.take(ends), len(row)):
        return None
    values = _numbers(text, bounds, decimals=len(row[0].partition(b".")[2]))
    if values is None:
        return None
    rows, after = values.reshape(-1, len(row)), np.cumsum([len(part) + 1 for part in parts])
    stops = np.searchsorted(ends[len(row) - 1 :: len(row)], after, "right").tolist()
    return [rows[start:stop] for start, stop in pairwise([0, *stops])]


def _separated(marks: Bytes, columns: int) -> bool:
    """Return whether what stands after each number is a newline after each row and only there."""
    if len(marks) % columns:
        return False
    marks = marks.reshape(-1, columns)
    inside, known = marks[:, :-1], np.False_
    for mark in (_COMMA, _TAB, _SPACE):  # which most files have throughout, in this order
        known = known | (inside == mark)
        if known.all():
            return bool((marks[:, -1] == _NEWLINE).all())
    return False


def _numbers(text: bytes, bounds: Ints, decimals: int) -> Array | None:
    """Return the numbers between `bounds`, or None if one is not of these decimals.

    `bounds` count from the last byte of the padding. Two digits at a time are taken, the last ones
    first, from all numbers at once.
    """
    codes, ends, point = np.frombuffer(text, np.uint8), bounds[1:], int(decimals > 0)
    lengths = np.diff(bounds)
    if lengths.max() > len(_PAD) or lengths.min() < 2 + point + decimals:
        return None
    negative = codes[len(_PAD) :].take(bounds[:-1]) == _MINUS
    signs, around = np.count_nonzero(negative), 1 + point
    whole = lengths.astype(np.int8) - np.int8(around + decimals) - negative.view(np.int8)
    longest = int(whole.max())
    base = len(_PAD) - 2  # of the byte before the one that ends a number
    if whole.min() < 1 or longest + decimals > _DIGITS:
        return None
    if point and (codes[base - decimals :].take(ends) != _DOT).any():
        return None
    digits = codes - np.uint8(_ZERO)
    good = digits <= 9
    if np.count_nonzero(good) != bounds[-1] - bounds[0] - around * len(ends) - signs:
        return None  # something else stands where a digit should
    digits *= good
    digits[1:] += digits[:-1] * np.uint8(10)  # each digit with the one before it, if there is one
    total = np.zeros(len(ends), np.int32 if longest + decimals <= 9 else np.int64)
    for place in range(0, decimals, 2):
        total += np.multiply(digits[base - place :].take(ends), 10**place, dtype=total.dtype)
    for place in range(0, longest, 2):
        pair = digits[base - point - decimals - place :].take(ends)
        if place:
            pair *= whole > place
        # with the type said: NumPy 1 would multiply bytes by small numbers as bytes
        total += np.multiply(pair, 10 ** (place + decimals), dtype=total.dtype)
    values = total / 10.0**decimals
    if signs:
        np.negative(values, out=values, where=negative)
    return values
