import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Stage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_UNSPECIFIED: _ClassVar[Stage]
    STAGE_STAGED: _ClassVar[Stage]
    STAGE_SHADOW: _ClassVar[Stage]
    STAGE_CANARY: _ClassVar[Stage]
    STAGE_STABLE: _ClassVar[Stage]
    STAGE_RETIRED: _ClassVar[Stage]
    STAGE_FAILED: _ClassVar[Stage]

class Step(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STEP_UNSPECIFIED: _ClassVar[Step]
    STEP_ANNOUNCED: _ClassVar[Step]
    STEP_INSTALLED: _ClassVar[Step]
    STEP_LOADED: _ClassVar[Step]
    STEP_READY: _ClassVar[Step]
    STEP_UNLOADED: _ClassVar[Step]
STAGE_UNSPECIFIED: Stage
STAGE_STAGED: Stage
STAGE_SHADOW: Stage
STAGE_CANARY: Stage
STAGE_STABLE: Stage
STAGE_RETIRED: Stage
STAGE_FAILED: Stage
STEP_UNSPECIFIED: Step
STEP_ANNOUNCED: Step
STEP_INSTALLED: Step
STEP_LOADED: Step
STEP_READY: Step
STEP_UNLOADED: Step

class Checkpoint(_message.Message):
    __slots__ = ("digest", "name", "family", "template_id", "location", "max_input_tokens", "published_at", "evaluation")
    class EvaluationEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_ID_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    MAX_INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    digest: str
    name: str
    family: str
    template_id: str
    location: str
    max_input_tokens: int
    published_at: _timestamp_pb2.Timestamp
    evaluation: _containers.ScalarMap[str, float]
    def __init__(self, digest: _Optional[str] = ..., name: _Optional[str] = ..., family: _Optional[str] = ..., template_id: _Optional[str] = ..., location: _Optional[str] = ..., max_input_tokens: _Optional[int] = ..., published_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., evaluation: _Optional[_Mapping[str, float]] = ...) -> None: ...

class Rollout(_message.Message):
    __slots__ = ("name", "revision", "epoch", "instance", "releases", "previous", "best", "adopted", "changes", "published_at", "next_checkpoint", "available")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    RELEASES_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    BEST_FIELD_NUMBER: _ClassVar[int]
    ADOPTED_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    NEXT_CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    name: str
    revision: int
    epoch: int
    instance: str
    releases: _containers.RepeatedCompositeFieldContainer[Placed]
    previous: _containers.RepeatedScalarFieldContainer[str]
    best: str
    adopted: str
    changes: _containers.RepeatedCompositeFieldContainer[Change]
    published_at: _timestamp_pb2.Timestamp
    next_checkpoint: int
    available: _containers.RepeatedCompositeFieldContainer[Checkpoint]
    def __init__(self, name: _Optional[str] = ..., revision: _Optional[int] = ..., epoch: _Optional[int] = ..., instance: _Optional[str] = ..., releases: _Optional[_Iterable[_Union[Placed, _Mapping]]] = ..., previous: _Optional[_Iterable[str]] = ..., best: _Optional[str] = ..., adopted: _Optional[str] = ..., changes: _Optional[_Iterable[_Union[Change, _Mapping]]] = ..., published_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., next_checkpoint: _Optional[int] = ..., available: _Optional[_Iterable[_Union[Checkpoint, _Mapping]]] = ...) -> None: ...

class Placed(_message.Message):
    __slots__ = ("release", "checkpoint_digest", "location", "stage", "step", "share", "where", "since", "by", "why", "error", "evidence", "shadow", "progress")
    class WhereEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    release: str
    checkpoint_digest: str
    location: str
    stage: Stage
    step: Step
    share: float
    where: _containers.ScalarMap[str, str]
    since: _timestamp_pb2.Timestamp
    by: str
    why: str
    error: str
    evidence: Evidence
    shadow: float
    progress: str
    def __init__(self, release: _Optional[str] = ..., checkpoint_digest: _Optional[str] = ..., location: _Optional[str] = ..., stage: _Optional[_Union[Stage, str]] = ..., step: _Optional[_Union[Step, str]] = ..., share: _Optional[float] = ..., where: _Optional[_Mapping[str, str]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., by: _Optional[str] = ..., why: _Optional[str] = ..., error: _Optional[str] = ..., evidence: _Optional[_Union[Evidence, _Mapping]] = ..., shadow: _Optional[float] = ..., progress: _Optional[str] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("revision", "at", "release", "action", "before", "after", "step", "share", "by", "why")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    revision: int
    at: _timestamp_pb2.Timestamp
    release: str
    action: str
    before: Stage
    after: Stage
    step: Step
    share: float
    by: str
    why: str
    def __init__(self, revision: _Optional[int] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., release: _Optional[str] = ..., action: _Optional[str] = ..., before: _Optional[_Union[Stage, str]] = ..., after: _Optional[_Union[Stage, str]] = ..., step: _Optional[_Union[Step, str]] = ..., share: _Optional[float] = ..., by: _Optional[str] = ..., why: _Optional[str] = ...) -> None: ...

class Evidence(_message.Message):
    __slots__ = ("decision", "sentence", "findings", "measured_at")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    MEASURED_AT_FIELD_NUMBER: _ClassVar[int]
    decision: str
    sentence: str
    findings: _containers.RepeatedCompositeFieldContainer[Finding]
    measured_at: _timestamp_pb2.Timestamp
    def __init__(self, decision: _Optional[str] = ..., sentence: _Optional[str] = ..., findings: _Optional[_Iterable[_Union[Finding, _Mapping]]] = ..., measured_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ("guard", "baseline", "decision", "estimate", "low", "high", "margin", "items", "units", "sentence")
    GUARD_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    guard: str
    baseline: str
    decision: str
    estimate: float
    low: float
    high: float
    margin: float
    items: int
    units: int
    sentence: str
    def __init__(self, guard: _Optional[str] = ..., baseline: _Optional[str] = ..., decision: _Optional[str] = ..., estimate: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., margin: _Optional[float] = ..., items: _Optional[int] = ..., units: _Optional[int] = ..., sentence: _Optional[str] = ...) -> None: ...

class GetRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MoveRequest(_message.Message):
    __slots__ = ("action", "release", "location", "share", "where", "by", "why", "force")
    class WhereEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ACTION_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    action: str
    release: str
    location: str
    share: float
    where: _containers.ScalarMap[str, str]
    by: str
    why: str
    force: bool
    def __init__(self, action: _Optional[str] = ..., release: _Optional[str] = ..., location: _Optional[str] = ..., share: _Optional[float] = ..., where: _Optional[_Mapping[str, str]] = ..., by: _Optional[str] = ..., why: _Optional[str] = ..., force: bool = ...) -> None: ...
