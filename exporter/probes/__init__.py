"""The table of probes and the one seam between them and everything else.

A probe is one coroutine `(its own frozen config, Run) -> result`. It raises `ProbeError` (or
lets a foreign error escape: the runner maps it) when it found nothing, and touches no registry,
no store and no global. The runner keeps the clock, enforces the deadline and builds the Outcome.
"""
