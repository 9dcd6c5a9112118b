"""What the demo's language model says: the first rule that knows one of the caller's words."""

_RULES: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"goodbye"}), "Goodbye, and thank you for calling."),
    (frozenset({"order"}), "Your order left our house this morning."),
    (frozenset({"time"}), "It is exactly half past nine."),
    (frozenset({"hours", "open", "close"}), "We are open from nine to five."),
    (frozenset({"price", "cost"}), "That is twenty dollars a month."),
    (frozenset({"account"}), "I can see your account, and all is well."),
    (frozenset({"appointment", "table", "book"}), "I have booked it for tomorrow at noon."),
    (frozenset({"support", "person", "call"}), "A colleague will call you back today."),
    (frozenset({"thank"}), "You are welcome."),
    (frozenset({"help"}), "Of course, tell me what you need."),
    (frozenset({"hello", "morning", "evening"}), "Hello, what can I do for you?"),
)
_ELSE = "I see. Please tell me more."

STORY = (
    "Our shop was opened by two sisters, who sold bread and honey at the corner of the market. "
    "One winter the river rose, and the whole street stood under water for a week. "
    "The sisters put their oven on a cart, went up the hill, and baked for everybody there. "
    "When the water had gone, the town gave them the old mill, and asked them to stay. "
    "We still bake in that mill today, and every year on that day the bread is free."
)
"""Takes the demo's voice 20 to 30 s."""


def answer(heard: str) -> str:
    """Return one short sentence in answer to the caller's words."""
    words = set(heard.lower().replace(".", " ").replace("?", " ").replace(",", " ").split())
    return next((reply for known, reply in _RULES if known & words), _ELSE)
