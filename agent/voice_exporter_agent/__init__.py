"""Reports a livekit-agents worker, and its turns, to voice-exporter, from inside of the worker.

    from voice_exporter_agent import attach, register_worker

    server = AgentServer()

    @server.rtc_session(agent_name="demo")
    async def entrypoint(ctx: JobContext) -> None:
        session = AgentSession(...)
        attach(session, call_type="order")
        ...

    register_worker("demo", collector="http://exporter:9465", token="...", server=server)

It imports neither the exporter nor livekit-agents, and logs as `voice_exporter_agent`.
"""

from voice_exporter_agent.attaching import attach
from voice_exporter_agent.registration import WorkerHandle, register_worker

__all__ = ["WorkerHandle", "attach", "register_worker"]
__version__ = "0.1.0"
