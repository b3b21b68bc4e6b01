"""Numbers from the bytes of plain text files, many files at once, in a few passes of NumPy.

Plain files are what trackers write: digits with the same number of decimals everywhere, one comma,
tab or space between them, a row per line. All others are for `siamtrack.data.text`, which is slower
and knows what is wrong with them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from siamtrack.boxes import Array

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
    if b"\r" in parts[0]:
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
    newline = marks == _NEWLINE
    known = newline | (marks == _COMMA) | (marks == _TAB) | (marks == _SPACE)
    at_the_end = newline[columns - 1 :: columns]
    return bool(known.all() and at_the_end.all() and newline.sum() == len(at_the_end))


def _numbers(text: bytes, bounds: Ints, decimals: int) -> Array | None:
    """Return the numbers between `bounds`, or None if one is not of these decimals.

    `bounds` count from the last byte of the padding. Digits are taken from the last to the first,
    for all numbers at once, and two are joined while they are bytes, because that is cheaper.
    """
    codes, ends, point = np.frombuffer(text, np.uint8), bounds[1:], int(decimals > 0)
    lengths = np.diff(bounds)
    if lengths.max() > len(_PAD) or lengths.min() < 2 + point + decimals:
        return None
    negative = codes[len(_PAD) :].take(bounds[:-1]) == _MINUS
    whole = lengths.astype(np.int8) - np.int8(1 + point + decimals) - negative.view(np.int8)
    longest = int(whole.max()) + decimals
    if whole.min() < 1 or longest > _DIGITS:
        return None
    back = len(_PAD) - 1 - np.arange(1, longest + point + 1)  # of the last byte, the one before ...
    if point and (codes[back[decimals] :].take(ends) != _DOT).any():
        return None
    digits, last = codes - np.uint8(_ZERO), None
    total = np.zeros(len(ends), np.int32 if longest <= 9 else np.int64)
    for place in range(longest):
        digit = digits[back[place if place < decimals else place + point] :].take(ends)
        if place > decimals:
            digit *= whole > place - decimals
        if digit.max() > 9:
            return None
        if last is not None:
            digit *= np.uint8(10)
            digit += last
            total += digit * total.dtype.type(10 ** (place - 1))
            last = None
        elif place == longest - 1:
            total += digit * total.dtype.type(10**place)
        else:
            last = digit
    values = total / 10.0**decimals
    if negative.any():
        np.negative(values, out=values, where=negative)
    return values
