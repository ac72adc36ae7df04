import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class JudgeRequest(_message.Message):
    __slots__ = ("request_id", "mode", "question", "candidates", "reference", "options", "requested_at", "metadata", "images", "rubric", "discussion")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    RUBRIC_FIELD_NUMBER: _ClassVar[int]
    DISCUSSION_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    mode: str
    question: str
    candidates: _containers.RepeatedCompositeFieldContainer[Candidate]
    reference: str
    options: JudgeOptions
    requested_at: _timestamp_pb2.Timestamp
    metadata: _containers.ScalarMap[str, str]
    images: _containers.RepeatedCompositeFieldContainer[Image]
    rubric: Rubric
    discussion: _containers.RepeatedCompositeFieldContainer[Turn]
    def __init__(self, request_id: _Optional[str] = ..., mode: _Optional[str] = ..., question: _Optional[str] = ..., candidates: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ..., reference: _Optional[str] = ..., options: _Optional[_Union[JudgeOptions, _Mapping]] = ..., requested_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., metadata: _Optional[_Mapping[str, str]] = ..., images: _Optional[_Iterable[_Union[Image, _Mapping]]] = ..., rubric: _Optional[_Union[Rubric, _Mapping]] = ..., discussion: _Optional[_Iterable[_Union[Turn, _Mapping]]] = ...) -> None: ...

class Image(_message.Message):
    __slots__ = ("url", "data", "media_type")
    URL_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    url: str
    data: bytes
    media_type: str
    def __init__(self, url: _Optional[str] = ..., data: _Optional[bytes] = ..., media_type: _Optional[str] = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("id", "text", "system", "images", "turns", "first_stage_score")
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    TURNS_FIELD_NUMBER: _ClassVar[int]
    FIRST_STAGE_SCORE_FIELD_NUMBER: _ClassVar[int]
    id: str
    text: str
    system: str
    images: _containers.RepeatedCompositeFieldContainer[Image]
    turns: _containers.RepeatedCompositeFieldContainer[Turn]
    first_stage_score: float
    def __init__(self, id: _Optional[str] = ..., text: _Optional[str] = ..., system: _Optional[str] = ..., images: _Optional[_Iterable[_Union[Image, _Mapping]]] = ..., turns: _Optional[_Iterable[_Union[Turn, _Mapping]]] = ..., first_stage_score: _Optional[float] = ...) -> None: ...

class Turn(_message.Message):
    __slots__ = ("role", "text")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    role: str
    text: str
    def __init__(self, role: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Rubric(_message.Message):
    __slots__ = ("criteria", "pass_threshold")
    CRITERIA_FIELD_NUMBER: _ClassVar[int]
    PASS_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    criteria: _containers.RepeatedCompositeFieldContainer[Criterion]
    pass_threshold: float
    def __init__(self, criteria: _Optional[_Iterable[_Union[Criterion, _Mapping]]] = ..., pass_threshold: _Optional[float] = ...) -> None: ...

class Criterion(_message.Message):
    __slots__ = ("id", "description", "low", "high", "weight", "pass_threshold")
    ID_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    PASS_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    id: str
    description: str
    low: float
    high: float
    weight: float
    pass_threshold: float
    def __init__(self, id: _Optional[str] = ..., description: _Optional[str] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., weight: _Optional[float] = ..., pass_threshold: _Optional[float] = ...) -> None: ...

class JudgeOptions(_message.Message):
    __slots__ = ("orders", "reference_use", "explain", "max_explanation_tokens", "focus", "pairs", "hybrid_weight")
    class Orders(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ORDERS_UNSPECIFIED: _ClassVar[JudgeOptions.Orders]
        ORDERS_BOTH: _ClassVar[JudgeOptions.Orders]
        ORDERS_STRAIGHT: _ClassVar[JudgeOptions.Orders]
        ORDERS_ROTATIONS: _ClassVar[JudgeOptions.Orders]
    ORDERS_UNSPECIFIED: JudgeOptions.Orders
    ORDERS_BOTH: JudgeOptions.Orders
    ORDERS_STRAIGHT: JudgeOptions.Orders
    ORDERS_ROTATIONS: JudgeOptions.Orders
    class ReferenceUse(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REFERENCE_USE_UNSPECIFIED: _ClassVar[JudgeOptions.ReferenceUse]
        REFERENCE_USE_AUTO: _ClassVar[JudgeOptions.ReferenceUse]
        REFERENCE_USE_NEVER: _ClassVar[JudgeOptions.ReferenceUse]
        REFERENCE_USE_BOTH: _ClassVar[JudgeOptions.ReferenceUse]
    REFERENCE_USE_UNSPECIFIED: JudgeOptions.ReferenceUse
    REFERENCE_USE_AUTO: JudgeOptions.ReferenceUse
    REFERENCE_USE_NEVER: JudgeOptions.ReferenceUse
    REFERENCE_USE_BOTH: JudgeOptions.ReferenceUse
    class Focus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FOCUS_UNSPECIFIED: _ClassVar[JudgeOptions.Focus]
        FOCUS_WHOLE: _ClassVar[JudgeOptions.Focus]
        FOCUS_LAST_TURN: _ClassVar[JudgeOptions.Focus]
    FOCUS_UNSPECIFIED: JudgeOptions.Focus
    FOCUS_WHOLE: JudgeOptions.Focus
    FOCUS_LAST_TURN: JudgeOptions.Focus
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_USE_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    MAX_EXPLANATION_TOKENS_FIELD_NUMBER: _ClassVar[int]
    FOCUS_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    HYBRID_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    orders: JudgeOptions.Orders
    reference_use: JudgeOptions.ReferenceUse
    explain: bool
    max_explanation_tokens: int
    focus: JudgeOptions.Focus
    pairs: int
    hybrid_weight: float
    def __init__(self, orders: _Optional[_Union[JudgeOptions.Orders, str]] = ..., reference_use: _Optional[_Union[JudgeOptions.ReferenceUse, str]] = ..., explain: bool = ..., max_explanation_tokens: _Optional[int] = ..., focus: _Optional[_Union[JudgeOptions.Focus, str]] = ..., pairs: _Optional[int] = ..., hybrid_weight: _Optional[float] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("verdict_id", "request_id", "mode", "status", "reason", "error_class", "error_message", "winner", "tie", "scores", "p_win", "p_tie", "p_lose", "confidence", "flipped", "explanation", "passes", "release", "checkpoint_digest", "template_id", "input_tokens", "output_tokens", "latency_s", "attempts", "requested_at", "judged_at", "metadata", "content_digest", "answers_cut_to", "method", "passed", "cost", "members", "prompt_digest", "both_orders_probability")
    class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATUS_UNSPECIFIED: _ClassVar[Verdict.Status]
        STATUS_SCORED: _ClassVar[Verdict.Status]
        STATUS_UNSCORED: _ClassVar[Verdict.Status]
        STATUS_FAILED: _ClassVar[Verdict.Status]
    STATUS_UNSPECIFIED: Verdict.Status
    STATUS_SCORED: Verdict.Status
    STATUS_UNSCORED: Verdict.Status
    STATUS_FAILED: Verdict.Status
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    VERDICT_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ERROR_CLASS_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    WINNER_FIELD_NUMBER: _ClassVar[int]
    TIE_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    P_WIN_FIELD_NUMBER: _ClassVar[int]
    P_TIE_FIELD_NUMBER: _ClassVar[int]
    P_LOSE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    FLIPPED_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    PASSES_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_ID_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_S_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    JUDGED_AT_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    CONTENT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_CUT_TO_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    BOTH_ORDERS_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    verdict_id: str
    request_id: str
    mode: str
    status: Verdict.Status
    reason: str
    error_class: str
    error_message: str
    winner: str
    tie: bool
    scores: _containers.RepeatedCompositeFieldContainer[CandidateScore]
    p_win: float
    p_tie: float
    p_lose: float
    confidence: float
    flipped: bool
    explanation: str
    passes: _containers.RepeatedCompositeFieldContainer[PassReading]
    release: str
    checkpoint_digest: str
    template_id: str
    input_tokens: int
    output_tokens: int
    latency_s: float
    attempts: int
    requested_at: _timestamp_pb2.Timestamp
    judged_at: _timestamp_pb2.Timestamp
    metadata: _containers.ScalarMap[str, str]
    content_digest: str
    answers_cut_to: int
    method: str
    passed: bool
    cost: float
    members: _containers.RepeatedCompositeFieldContainer[MemberReading]
    prompt_digest: str
    both_orders_probability: float
    def __init__(self, verdict_id: _Optional[str] = ..., request_id: _Optional[str] = ..., mode: _Optional[str] = ..., status: _Optional[_Union[Verdict.Status, str]] = ..., reason: _Optional[str] = ..., error_class: _Optional[str] = ..., error_message: _Optional[str] = ..., winner: _Optional[str] = ..., tie: bool = ..., scores: _Optional[_Iterable[_Union[CandidateScore, _Mapping]]] = ..., p_win: _Optional[float] = ..., p_tie: _Optional[float] = ..., p_lose: _Optional[float] = ..., confidence: _Optional[float] = ..., flipped: bool = ..., explanation: _Optional[str] = ..., passes: _Optional[_Iterable[_Union[PassReading, _Mapping]]] = ..., release: _Optional[str] = ..., checkpoint_digest: _Optional[str] = ..., template_id: _Optional[str] = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., latency_s: _Optional[float] = ..., attempts: _Optional[int] = ..., requested_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., judged_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., metadata: _Optional[_Mapping[str, str]] = ..., content_digest: _Optional[str] = ..., answers_cut_to: _Optional[int] = ..., method: _Optional[str] = ..., passed: bool = ..., cost: _Optional[float] = ..., members: _Optional[_Iterable[_Union[MemberReading, _Mapping]]] = ..., prompt_digest: _Optional[str] = ..., both_orders_probability: _Optional[float] = ...) -> None: ...

class MemberReading(_message.Message):
    __slots__ = ("release", "checkpoint_digest", "template_id", "weight", "status", "reason", "error_class", "error_message", "winner", "tie", "p_win", "p_tie", "p_lose", "scores", "flipped", "input_tokens", "output_tokens", "cost")
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_ID_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ERROR_CLASS_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    WINNER_FIELD_NUMBER: _ClassVar[int]
    TIE_FIELD_NUMBER: _ClassVar[int]
    P_WIN_FIELD_NUMBER: _ClassVar[int]
    P_TIE_FIELD_NUMBER: _ClassVar[int]
    P_LOSE_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    FLIPPED_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    release: str
    checkpoint_digest: str
    template_id: str
    weight: float
    status: Verdict.Status
    reason: str
    error_class: str
    error_message: str
    winner: str
    tie: bool
    p_win: float
    p_tie: float
    p_lose: float
    scores: _containers.RepeatedCompositeFieldContainer[CandidateScore]
    flipped: bool
    input_tokens: int
    output_tokens: int
    cost: float
    def __init__(self, release: _Optional[str] = ..., checkpoint_digest: _Optional[str] = ..., template_id: _Optional[str] = ..., weight: _Optional[float] = ..., status: _Optional[_Union[Verdict.Status, str]] = ..., reason: _Optional[str] = ..., error_class: _Optional[str] = ..., error_message: _Optional[str] = ..., winner: _Optional[str] = ..., tie: bool = ..., p_win: _Optional[float] = ..., p_tie: _Optional[float] = ..., p_lose: _Optional[float] = ..., scores: _Optional[_Iterable[_Union[CandidateScore, _Mapping]]] = ..., flipped: bool = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., cost: _Optional[float] = ...) -> None: ...

class CandidateScore(_message.Message):
    __slots__ = ("candidate_id", "score", "system", "length", "p_best", "rank", "low", "high", "criteria", "passed", "style")
    CANDIDATE_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    P_BEST_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    CRITERIA_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    candidate_id: str
    score: float
    system: str
    length: int
    p_best: float
    rank: int
    low: float
    high: float
    criteria: _containers.RepeatedCompositeFieldContainer[CriterionScore]
    passed: bool
    style: Style
    def __init__(self, candidate_id: _Optional[str] = ..., score: _Optional[float] = ..., system: _Optional[str] = ..., length: _Optional[int] = ..., p_best: _Optional[float] = ..., rank: _Optional[int] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., criteria: _Optional[_Iterable[_Union[CriterionScore, _Mapping]]] = ..., passed: bool = ..., style: _Optional[_Union[Style, _Mapping]] = ...) -> None: ...

class Style(_message.Message):
    __slots__ = ("words", "headers", "list_items", "bold")
    WORDS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    LIST_ITEMS_FIELD_NUMBER: _ClassVar[int]
    BOLD_FIELD_NUMBER: _ClassVar[int]
    words: int
    headers: int
    list_items: int
    bold: int
    def __init__(self, words: _Optional[int] = ..., headers: _Optional[int] = ..., list_items: _Optional[int] = ..., bold: _Optional[int] = ...) -> None: ...

class CriterionScore(_message.Message):
    __slots__ = ("criterion_id", "score", "low", "high", "passed")
    CRITERION_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    criterion_id: str
    score: float
    low: float
    high: float
    passed: bool
    def __init__(self, criterion_id: _Optional[str] = ..., score: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., passed: bool = ...) -> None: ...

class PassReading(_message.Message):
    __slots__ = ("name", "means", "greedy", "p_win", "p_tie", "p_lose", "outside", "unreadable", "detail", "text", "finish_reason", "input_tokens", "output_tokens", "latency_s", "values", "release", "p_best", "reasonings", "because_unsure")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MEANS_FIELD_NUMBER: _ClassVar[int]
    GREEDY_FIELD_NUMBER: _ClassVar[int]
    P_WIN_FIELD_NUMBER: _ClassVar[int]
    P_TIE_FIELD_NUMBER: _ClassVar[int]
    P_LOSE_FIELD_NUMBER: _ClassVar[int]
    OUTSIDE_FIELD_NUMBER: _ClassVar[int]
    UNREADABLE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_S_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    P_BEST_FIELD_NUMBER: _ClassVar[int]
    REASONINGS_FIELD_NUMBER: _ClassVar[int]
    BECAUSE_UNSURE_FIELD_NUMBER: _ClassVar[int]
    name: str
    means: _containers.RepeatedScalarFieldContainer[float]
    greedy: _containers.RepeatedScalarFieldContainer[float]
    p_win: float
    p_tie: float
    p_lose: float
    outside: float
    unreadable: str
    detail: str
    text: str
    finish_reason: str
    input_tokens: int
    output_tokens: int
    latency_s: float
    values: _containers.RepeatedScalarFieldContainer[float]
    release: str
    p_best: _containers.RepeatedScalarFieldContainer[float]
    reasonings: int
    because_unsure: bool
    def __init__(self, name: _Optional[str] = ..., means: _Optional[_Iterable[float]] = ..., greedy: _Optional[_Iterable[float]] = ..., p_win: _Optional[float] = ..., p_tie: _Optional[float] = ..., p_lose: _Optional[float] = ..., outside: _Optional[float] = ..., unreadable: _Optional[str] = ..., detail: _Optional[str] = ..., text: _Optional[str] = ..., finish_reason: _Optional[str] = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., latency_s: _Optional[float] = ..., values: _Optional[_Iterable[float]] = ..., release: _Optional[str] = ..., p_best: _Optional[_Iterable[float]] = ..., reasonings: _Optional[int] = ..., because_unsure: bool = ...) -> None: ...

class DeadLetter(_message.Message):
    __slots__ = ("dead_letter_id", "topic", "partition", "offset", "recorded_at", "key", "value", "headers", "error_class", "error_message", "attempts", "first_failed_at", "dead_lettered_at", "consumer_group", "request_id", "cut", "value_bytes", "value_sha256", "last_offset")
    class Header(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    DEAD_LETTER_ID_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    RECORDED_AT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    ERROR_CLASS_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    FIRST_FAILED_AT_FIELD_NUMBER: _ClassVar[int]
    DEAD_LETTERED_AT_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_GROUP_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    VALUE_BYTES_FIELD_NUMBER: _ClassVar[int]
    VALUE_SHA256_FIELD_NUMBER: _ClassVar[int]
    LAST_OFFSET_FIELD_NUMBER: _ClassVar[int]
    dead_letter_id: str
    topic: str
    partition: int
    offset: int
    recorded_at: _timestamp_pb2.Timestamp
    key: bytes
    value: bytes
    headers: _containers.RepeatedCompositeFieldContainer[DeadLetter.Header]
    error_class: str
    error_message: str
    attempts: int
    first_failed_at: _timestamp_pb2.Timestamp
    dead_lettered_at: _timestamp_pb2.Timestamp
    consumer_group: str
    request_id: str
    cut: _containers.RepeatedScalarFieldContainer[str]
    value_bytes: int
    value_sha256: str
    last_offset: int
    def __init__(self, dead_letter_id: _Optional[str] = ..., topic: _Optional[str] = ..., partition: _Optional[int] = ..., offset: _Optional[int] = ..., recorded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., key: _Optional[bytes] = ..., value: _Optional[bytes] = ..., headers: _Optional[_Iterable[_Union[DeadLetter.Header, _Mapping]]] = ..., error_class: _Optional[str] = ..., error_message: _Optional[str] = ..., attempts: _Optional[int] = ..., first_failed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., dead_lettered_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., consumer_group: _Optional[str] = ..., request_id: _Optional[str] = ..., cut: _Optional[_Iterable[str]] = ..., value_bytes: _Optional[int] = ..., value_sha256: _Optional[str] = ..., last_offset: _Optional[int] = ...) -> None: ...

class Label(_message.Message):
    __slots__ = ("label_id", "request_id", "annotator", "winner", "tie", "labelled_at", "sampling_probability", "passed")
    LABEL_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ANNOTATOR_FIELD_NUMBER: _ClassVar[int]
    WINNER_FIELD_NUMBER: _ClassVar[int]
    TIE_FIELD_NUMBER: _ClassVar[int]
    LABELLED_AT_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    label_id: str
    request_id: str
    annotator: str
    winner: str
    tie: bool
    labelled_at: _timestamp_pb2.Timestamp
    sampling_probability: float
    passed: bool
    def __init__(self, label_id: _Optional[str] = ..., request_id: _Optional[str] = ..., annotator: _Optional[str] = ..., winner: _Optional[str] = ..., tie: bool = ..., labelled_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., sampling_probability: _Optional[float] = ..., passed: bool = ...) -> None: ...
