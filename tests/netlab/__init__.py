"""A network laboratory: a link between two network namespaces that does exactly what it is told.

    lab        open a laboratory, set its link
    side       one namespace: run commands and make sockets in it
    forwarder  the program between the namespaces, which carries every packet
    way        what it does to the packets of one direction
    jitter     a jitter of a known size
    flow       packets of our own over the link, to see whether it tells the truth
    livekit    a real livekit-server at the far end
    inside     a process at the near end that answers line by line
    probe      the project's baseline there
    call       the project's calls there
    audio      the audio packets that pass, by their headers
    wire       both ends of a turn, by those packets
    cut        what two participants notice when the link is cut

Delay, jitter, loss and blocking are set for each direction on its own, by a forwarder of ours
between two TUN devices, so that neither netem nor a firewall is needed. It counts what it did to
every packet: the truth of a run is not only what was set, but also what happened. It needs root.

Usage:
    with NetLab() as lab:
        lab.link.set(rtt_ms=80, loss_up=0.01)
        lab.client.run(["some", "program"])
        lab.link.cut(3.0)
        print(lab.link.counts())
"""
