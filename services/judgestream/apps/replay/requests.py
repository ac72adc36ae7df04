"""Old requests, read from their topic as a judging worker reads them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from judgestream.adapters.kafka.reading import TopicReader, never
from judgestream.adapters.kafka.unreadable import unreadable
from judgestream.apps.judging.asked import Asked, Progress, asked_of
from judgestream.apps.judging.one_release import Plans, RequestsJudge, internal
from judgestream.apps.replay.selection import Selection
from judgestream.contracts.records import Record
from judgestream.contracts.topics import REQUESTS
from judgestream.core.errors import JudgestreamError, UndecodableRecord
from judgestream.core.types import Release
from judgestream.settings import Kafka
from judgestream.v1.judging_pb2 import JudgeRequest


def old_request(record: Record, release: Release) -> tuple[Asked, Progress]:
    """The request of a record, and what is known of it for a failed verdict of the release.

    Raises:
        PoisonError: it cannot be judged.
    """
    if (damage := unreadable(record.headers)) is not None:
        raise UndecodableRecord(str(damage))
    progress = Progress.begun(record, release)
    return asked_of(record, progress), progress


def plans_of(asked: Asked, judge: RequestsJudge) -> Plans:
    """The first passes, without images.

    Raises:
        PoisonError: the judge does not serve the mode, or its template fails on the request.
    """
    try:
        return judge.plans(asked.request, asked.mode)
    except JudgestreamError:
        raise
    except Exception as exc:
        raise internal(exc) from exc


@contextmanager
def records(
    settings: Kafka, selection: Selection, *, stopped: Callable[[], bool] = never
) -> Iterator[Iterator[Record]]:
    """The records between the bounds of the selection. Conditions and limit are left to the caller."""
    with TopicReader(settings, REQUESTS, JudgeRequest) as reader:
        start, end = selection.bounds(reader)
        yield (one.record for one in reader.read(start, until=end, stopped=stopped))
