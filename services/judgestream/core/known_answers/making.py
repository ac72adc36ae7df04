"""Probe requests: which of the known answers accompany a request, and how they are made of it."""

import hashlib
import random
from collections.abc import Mapping
from dataclasses import replace

from judgestream.core import limits
from judgestream.core.checks import request_problem
from judgestream.core.identity import content_digest
from judgestream.core.images import has_images
from judgestream.core.known_answers.base import Effect, KnownAnswer, Pairing, ProbeRequest
from judgestream.core.types import PROBE_KEY, Candidate, Orders, Request

PAIRWISE = "pairwise"
SENDER = "known-answer"
"""The value of `PROBE_KEY` in these probes' metadata."""
NAME_KEY, OF_KEY, PERTURBED_KEY = (f"{PROBE_KEY}.{key}" for key in ("name", "of", "perturbed"))
"""Metadata keys: the known answer, the id of the request that it accompanies, the changed candidate's id."""

ORIGINAL, CHANGED = "original", "changed"
"""Candidate ids where an answer is compared with itself."""


def applies(request: Request) -> bool:
    """Whether known answers can be made of a request: two different answers in plain text, not a probe."""
    first, *rest = request.candidates or (Candidate(id=""),)
    return (
        request.mode in ("", PAIRWISE)
        and len(rest) == 1
        and PROBE_KEY not in request.metadata
        and not has_images(request)
        and not any(one.turns or not one.text.strip() for one in request.candidates)
        and first.text != rest[0].text
    )


def probe_request(known: KnownAnswer, request: Request, seed: int) -> ProbeRequest | None:
    """The probe of one known answer; None where it does not apply, or its own check does not hold.

    The same request and seed always give the same probe, with the same id. Which answer is changed, and its
    place beside an unchanged copy of itself, are drawn by the seed.
    """
    if not applies(request):
        return None
    draw = random.Random(f"{seed}/{known.name}/{request.request_id}")  # noqa: S311 - reproducible
    index = draw.randrange(2)
    answer = request.candidates[index]
    text = known.rewrite(answer.text, draw, request.reference or "")
    if text is None or not known.holds(answer.text, text):
        return None
    candidates, perturbed = _candidates(known, request, index, text, draw)
    options = replace(request.options, explain=False)
    if known.pairing is Pairing.ITSELF:
        options = replace(options, orders=Orders.BOTH)
    digest = hashlib.sha256(
        f"{seed}/{known.name}/{request.request_id}/{content_digest(request)}".encode(
            errors="surrogatepass"
        )
    )
    probe = replace(
        request,
        request_id=f"probe-{known.name}-{digest.hexdigest()[:20]}",
        candidates=candidates,
        options=options,
        metadata=_metadata(known, request, perturbed),
    )
    if request_problem(probe):
        return None  # grown beyond a limit
    return ProbeRequest(name=known.name, request=probe, of=request.request_id, perturbed=perturbed)


def probes_of(
    request: Request,
    share: float,
    seed: int,
    known: Mapping[str, KnownAnswer],
    *,
    most: int = 1,
) -> list[ProbeRequest]:
    """The probes that accompany a request: none, or up to `most`, each by another known answer.

    A request is accompanied with probability `share`, drawn by the hash of its id: the same one after a
    redelivery, and whichever worker reads it. The known answers are tried in an order drawn by the same hash;
    those that do not apply are passed over.

    Raises:
        ValueError: `share` is not within 0 to 1.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"a share of {share} requests with probes is impossible: use 0 to 1")
    if _drawn(seed, "share", request.request_id) >= share or not applies(request):
        return []
    order = sorted(known, key=lambda name: _drawn(seed, name, request.request_id))
    found: list[ProbeRequest] = []
    for name in order:
        if len(found) == most:
            break
        probe = probe_request(known[name], request, seed)
        if probe is not None:
            found.append(probe)
    return found


def _candidates(
    known: KnownAnswer, request: Request, index: int, text: str, draw: random.Random
) -> tuple[tuple[Candidate, ...], str]:
    """The probe's candidates, without their systems, and the id of the changed one."""
    own = tuple(replace(one, system="") for one in request.candidates)
    if known.effect is Effect.MIRRORED:
        return own[::-1], ""
    if known.pairing is Pairing.RIVAL:
        changed = replace(own[index], text=text)
        return tuple(changed if k == index else one for k, one in enumerate(own)), changed.id
    pair = (
        Candidate(id=ORIGINAL, text=own[index].text),
        Candidate(id=CHANGED, text=text),
    )
    return (pair if draw.random() < 0.5 else pair[::-1]), CHANGED


def _metadata(known: KnownAnswer, request: Request, perturbed: str) -> Mapping[str, str]:
    """The request's own metadata, for its segments, and the marks; the marks alone where both do not fit."""
    marks = {
        PROBE_KEY: SENDER,
        NAME_KEY: known.name,
        OF_KEY: request.request_id,
        PERTURBED_KEY: perturbed,
    }
    both = {**request.metadata, **marks}
    size = sum(len(key.encode()) + len(value.encode()) for key, value in both.items())
    fits = len(both) <= limits.METADATA_ENTRIES and size <= limits.METADATA
    return both if fits else marks


def _drawn(*parts: object) -> float:
    """A number of [0, 1) by the hash of the parts."""
    raw = "/".join(map(str, parts)).encode(errors="surrogatepass")
    return (int.from_bytes(hashlib.sha256(raw).digest()[:8], "big") >> 11) / 2**53
