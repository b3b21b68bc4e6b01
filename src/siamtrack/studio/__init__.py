"""The studio: a page in the browser where people draw a box, watch it tracked and correct it.

From the inside out: `timeline`, `events` and `project` know what was drawn and tracked, `journal`
keeps it on the disk; `clip` gives any frame of a video by `seek`, `jobs` tracks; `session` holds
what belongs to one open project, `library` what may be opened; `request`, `export_jobs`, `overlay`
and `camera` answer the page in `static`, `app` puts them together behind `security`, and `serve`
starts it. Most of them need the extra `studio`.
"""
