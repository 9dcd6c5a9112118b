"""When and where probes run: once or on a schedule, each in a process of its own."""
