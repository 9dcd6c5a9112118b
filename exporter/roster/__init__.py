"""Who is there to take jobs: the workers, from their heartbeats, their pages and the rooms.

`types` has what travels, `wire` the JSON of the API, `roster` the one place that merges the
sources. No public API of LiveKit lists workers, so each source has a part of it.
"""
