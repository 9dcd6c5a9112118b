"""The key of a target: the labels that no two targets share."""

DEFAULT_SCENARIO = "default"
"""The value of the label of what is no variant."""

KEY = ("agent_name", "call_type", "scenario")
"""The labels that no two targets share."""
TargetKey = tuple[str, str, str]
"""Their values."""


def joined(key: TargetKey) -> str:
    """Return one text for a target, as of no other: a slash within a name is written %2F."""
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in key)
