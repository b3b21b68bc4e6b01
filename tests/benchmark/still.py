"""A tracker in a file of its own, as `FILE.py:CLASS` names it."""


class Still:
    """Says that the target does not move."""

    name = "still"
    score = 1.0

    def init(self, frame, box):
        self.box = box

    def update(self, frame):
        return self
