"""The studio: a page in the browser where people draw a box, watch it tracked and correct it.

`project` knows what was drawn and tracked, `clip` gives any frame of a video, `jobs` tracks,
`app` serves all of it to the page in `static`. Only `app`, `serve`, `guard` and what they import
need the extra `studio`.
"""
