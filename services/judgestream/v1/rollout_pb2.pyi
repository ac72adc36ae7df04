import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

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
    __slots__ = ("rollout_id", "family", "routes", "decision", "evidence", "decided_at")
    class Stage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STAGE_UNSPECIFIED: _ClassVar[Rollout.Stage]
        STAGE_STABLE: _ClassVar[Rollout.Stage]
        STAGE_CANARY: _ClassVar[Rollout.Stage]
        STAGE_SHADOW: _ClassVar[Rollout.Stage]
    STAGE_UNSPECIFIED: Rollout.Stage
    STAGE_STABLE: Rollout.Stage
    STAGE_CANARY: Rollout.Stage
    STAGE_SHADOW: Rollout.Stage
    class Route(_message.Message):
        __slots__ = ("release", "checkpoint_digest", "stage", "share")
        RELEASE_FIELD_NUMBER: _ClassVar[int]
        CHECKPOINT_DIGEST_FIELD_NUMBER: _ClassVar[int]
        STAGE_FIELD_NUMBER: _ClassVar[int]
        SHARE_FIELD_NUMBER: _ClassVar[int]
        release: str
        checkpoint_digest: str
        stage: Rollout.Stage
        share: float
        def __init__(self, release: _Optional[str] = ..., checkpoint_digest: _Optional[str] = ..., stage: _Optional[_Union[Rollout.Stage, str]] = ..., share: _Optional[float] = ...) -> None: ...
    class EvidenceEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    ROLLOUT_ID_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_FIELD_NUMBER: _ClassVar[int]
    rollout_id: str
    family: str
    routes: _containers.RepeatedCompositeFieldContainer[Rollout.Route]
    decision: str
    evidence: _containers.ScalarMap[str, float]
    decided_at: _timestamp_pb2.Timestamp
    def __init__(self, rollout_id: _Optional[str] = ..., family: _Optional[str] = ..., routes: _Optional[_Iterable[_Union[Rollout.Route, _Mapping]]] = ..., decision: _Optional[str] = ..., evidence: _Optional[_Mapping[str, float]] = ..., decided_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
