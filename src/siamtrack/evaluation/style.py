"""The look of the HTML page."""

STYLE = """
:root { color-scheme: light; --line: #d8dee4; --ink: #1b1f24; --soft: #57606a; }
body { font: 15px/1.5 system-ui, "Liberation Sans", sans-serif; margin: 0 auto; max-width: 1440px;
  padding: 0 1.4rem 4rem; color: var(--ink); background: #fff; }
header { margin: 1.6rem 0 1rem; padding-bottom: .9rem; border-bottom: 1px solid var(--line); }
header p { margin: 0; color: var(--soft); letter-spacing: .04em; }
h1 { font-size: 1.6rem; margin: .1rem 0 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .7rem; }
.notes { background: #fff8e5; border: 1px solid #eed9a0; border-radius: 6px;
  padding: .6rem 1rem .6rem 2rem; }
.plots, .clips { display: grid; gap: 1.2rem; margin-top: 1.2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(310px, 100%), 1fr)); }
svg { width: 100%; height: auto; border: 1px solid var(--line); border-radius: 8px; }
svg text { font: 12px system-ui, "Liberation Sans", sans-serif; fill: var(--ink); }
svg .title { font-size: 14px; font-weight: 600; text-anchor: middle; }
svg .x { text-anchor: middle; } svg .y { text-anchor: end; } svg .grid { stroke: #e6eaee; }
svg polyline:hover { stroke-width: 4; }
figure { margin: 0; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
video { display: block; width: 100%; max-height: 420px; background: #111; object-fit: contain; }
figcaption { display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: .5rem .8rem; }
i { display: inline-block; width: .75em; height: .75em; border-radius: 2px; margin-right: .45em; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; }
th, td { padding: .28rem .8rem; border-bottom: 1px solid var(--line); text-align: right;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
thead th { border-bottom: 2px solid var(--soft); } tbody tr:hover td { background: #f3f6f9; }
td.best { font-weight: 700; }
@media print { video { display: none; } }
"""
