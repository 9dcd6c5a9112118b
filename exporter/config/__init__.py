"""The configuration: what can be set, where it is read from, and the words for what is wrong.

`settings` has every section but those of the probes, which are in its folder; `load` reads
them from flags, environment and file.
"""
