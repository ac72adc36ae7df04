import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TrainingExample(_message.Message):
    __slots__ = ("example_id", "question", "answers", "reference", "blind", "informed", "source", "group", "labelled_at")
    EXAMPLE_ID_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    BLIND_FIELD_NUMBER: _ClassVar[int]
    INFORMED_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    LABELLED_AT_FIELD_NUMBER: _ClassVar[int]
    example_id: str
    question: str
    answers: _containers.RepeatedCompositeFieldContainer[TrainingAnswer]
    reference: str
    blind: TeacherJudgement
    informed: TeacherJudgement
    source: str
    group: str
    labelled_at: _timestamp_pb2.Timestamp
    def __init__(self, example_id: _Optional[str] = ..., question: _Optional[str] = ..., answers: _Optional[_Iterable[_Union[TrainingAnswer, _Mapping]]] = ..., reference: _Optional[str] = ..., blind: _Optional[_Union[TeacherJudgement, _Mapping]] = ..., informed: _Optional[_Union[TeacherJudgement, _Mapping]] = ..., source: _Optional[str] = ..., group: _Optional[str] = ..., labelled_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TrainingAnswer(_message.Message):
    __slots__ = ("text", "system", "marks")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    text: str
    system: str
    marks: _containers.RepeatedCompositeFieldContainer[TrainingMark]
    def __init__(self, text: _Optional[str] = ..., system: _Optional[str] = ..., marks: _Optional[_Iterable[_Union[TrainingMark, _Mapping]]] = ...) -> None: ...

class TrainingMark(_message.Message):
    __slots__ = ("start", "end", "wrong")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    WRONG_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    wrong: bool
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ..., wrong: bool = ...) -> None: ...

class TeacherJudgement(_message.Message):
    __slots__ = ("scores", "explanation")
    SCORES_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    scores: _containers.RepeatedScalarFieldContainer[float]
    explanation: str
    def __init__(self, scores: _Optional[_Iterable[float]] = ..., explanation: _Optional[str] = ...) -> None: ...
