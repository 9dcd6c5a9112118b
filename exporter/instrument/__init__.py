"""What a livekit-agents worker imports to be on the roster of an exporter.

    from exporter.instrument import register_worker

    server = AgentServer()

    @server.rtc_session(agent_name="demo")
    async def entrypoint(ctx: JobContext) -> None: ...

    register_worker("demo", collector="http://exporter:9465", token="...", server=server)

It needs httpx and psutil, and imports nothing else of the exporter.
"""

from exporter.instrument.register import WorkerHandle, register_worker

__all__ = ["WorkerHandle", "register_worker"]
