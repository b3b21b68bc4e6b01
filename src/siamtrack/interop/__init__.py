"""Boxes to and from the objects of other libraries; none of them is imported before it is used."""
