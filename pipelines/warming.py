"""Popular answers warmed because somebody asks for it: a task that can be followed."""

from uuid import UUID

from actors import tasks, warming
from actors.broker.client import Client
from contracts.base import new_id
from contracts.tasks import Member, StartTask, Step, TaskStarted
from contracts.warming import WarmAnswers
from pipelines.tasks import ask_write


async def warm(client: Client, request: WarmAnswers, *, by: str, timeout: float) -> UUID:
    """Begin to warm; the result of the task's one step is a Warmed. Raises as `ask_write`."""
    member = Member(actor=warming.warm.name, request=request.model_dump(mode="json"))
    step = Step(name="warm", members=(member,))
    command = StartTask(type="warm", steps=(step,), by=by, key=str(new_id()))
    started = await ask_write(client, tasks.start, command, timeout=timeout)
    return TaskStarted.from_reply(started).task
