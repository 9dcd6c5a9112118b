"""Links from a dashboard to the exporter's own pages."""

HIDDEN = "exporter"
"""The variable that has the address of the exporter's pages."""


def last_failed_run(pages: str, **target: str) -> str:
    """Return a link to the last failed run of a target.

    Args:
        pages: The address of the exporter's pages, or what Grafana replaces by it.
        **target: Labels and their values.
    """
    labels = "&".join(f"{label}={value}" for label, value in target.items())
    return f"{pages}/runs/last?{labels}&failed=true"
