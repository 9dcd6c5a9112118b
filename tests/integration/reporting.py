"""A worker as a user runs it, by the command line of livekit-agents, that reports itself.

Run as `python -m tests.integration.reporting start`. The environment has the server and its keys,
where to report to, and WORKER_NAME, WORKER_PORT and WORKER_REJECTS (1: takes no job). Each job says
the state that its metadata names and stays in the room.
"""

import math
import os

from livekit.agents import AgentServer, JobContext, JobRequest, cli

from voice_exporter_agent import register_worker

NAME = os.environ["WORKER_NAME"]


def no_load(_server: AgentServer) -> float:
    """Report an idle machine, whatever the tests do to it."""
    return 0.0


async def answer(request: JobRequest) -> None:
    """Take the job, or not."""
    if os.environ.get("WORKER_REJECTS"):
        await request.reject()
    else:
        await request.accept()


async def entrypoint(context: JobContext) -> None:
    """Enter the room and say the state."""
    await context.connect()
    state = {"lk.agent.state": context.job.metadata}
    await context.room.local_participant.set_attributes(state)


server = AgentServer(
    host="127.0.0.1",
    port=int(os.environ["WORKER_PORT"]),
    num_idle_processes=1,
    load_fnc=no_load,
    # Else a job that was accepted and has not begun counts as load, and the next is refused.
    load_threshold=math.inf,
    drain_timeout=20,
)
server.rtc_session(entrypoint, agent_name=NAME, on_request=answer)
register_worker(NAME, interval=1, server=server)

if __name__ == "__main__":
    cli.run_app(server)
