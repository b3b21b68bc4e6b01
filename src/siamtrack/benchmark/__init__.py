"""How fast trackers are on this machine: latency by stage, memory, cold start, many targets.

Nothing is imported here: `siamtrack.benchmark.fresh` measures what an import costs. The way in is
`siamtrack.benchmark.run.run_benchmark`, or `siamtrack bench` on the command line.
"""
