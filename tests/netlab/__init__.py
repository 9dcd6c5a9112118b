"""A network laboratory: a link between two network namespaces that does exactly what it is told.

Delay, jitter, loss and blocking are set for each direction on its own, by a forwarder of ours
between two TUN devices (see forwarder.py), so that neither netem nor a firewall is needed. It
counts what it did to every packet: the truth of a run is not only what was set, but also what
happened.
"""
