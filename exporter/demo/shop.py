"""Who answers the phone of the demo's shop: the agent, its tools, and the colleague."""

import asyncio

from livekit.agents import Agent, RunContext, ToolError, function_tool
from livekit.agents.llm import ChatContext, ChatMessage

from exporter.demo.settings import AgentSettings

_INSTRUCTIONS = "You answer the phone of a small shop. Be brief."
_COLLEAGUE = "You are the colleague who knows about orders. Be brief."


class Colleague(Agent):
    """Takes the call over."""

    def __init__(self, said: ChatContext) -> None:
        super().__init__(instructions=_COLLEAGUE, chat_ctx=said)


class ShopAgent(Agent):
    """Answers first; its tools behave as the language model tells them to."""

    def __init__(self, settings: AgentSettings) -> None:
        super().__init__(instructions=_INSTRUCTIONS)
        self._settings = settings

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        """Fill the silence, and work, before the language model is asked."""
        if self._settings.filler:
            self.session.say(self._settings.filler)
        await asyncio.sleep(self._settings.work_s)

    @function_tool
    async def look_up_order(  # noqa: D417 - the model reads the arguments, and is not given context
        self, context: RunContext[None], seconds: float, fails: bool, filler: str
    ) -> str:
        """Look up the caller's order.

        Args:
            seconds: How long it takes.
            fails: Whether the order cannot be found.
            filler: What to say meanwhile; may be empty.
        """
        await _work(context, seconds, fails=fails, filler=filler)
        return "It left the house this morning."

    @function_tool
    async def call_colleague(  # noqa: D417 - as above
        self, context: RunContext[None], seconds: float, fails: bool, filler: str
    ) -> tuple[Agent, str]:
        """Hand the call over to a colleague.

        Args:
            seconds: How long it takes.
            fails: Whether no colleague is there.
            filler: What to say meanwhile; may be empty.
        """
        await _work(context, seconds, fails=fails, filler=filler)
        return Colleague(self.chat_ctx), "The colleague has taken over."


async def _work(context: RunContext[None], seconds: float, *, fails: bool, filler: str) -> None:
    if filler:
        context.session.say(filler)
    await asyncio.sleep(seconds)
    if fails:
        raise ToolError("The demo's tool was set to fail.")
