"""Every bound of the service in one value, so that an operator can read and change them in one place."""

from __future__ import annotations

from typing import NamedTuple

from spotsafe.core.records import EVENTS_PER_REQUEST, MAX_EVENT_BYTES
from spotsafe.detectors.decode.limits import AUDIO, IMAGE, VIDEO

MIB = 1024 * 1024


class Limits(NamedTuple):
    """Sizes in bytes after decompression, times in seconds, counts in items."""

    detect_bytes: int = 16 * MIB
    """Largest body of ``/v1/detect`` and ``/v1/moderations``."""
    events_bytes: int = 4 * MIB
    """Largest body of ``/v1/events``: 500 events of 8 KiB."""
    small_bytes: int = 64 * 1024
    """Largest body of every other route."""
    buffered_bytes: int = 256 * MIB
    """All request bodies in memory at one moment; beyond it new bodies are refused with 503."""
    body_seconds: float = 15.0
    """How long a caller may take to send its body."""

    json_depth: int = 16
    json_values: int = 200_000
    """Values (members and elements) in one body."""
    json_digits: int = 20
    """Digits of an integer: 64 bits and a sign."""

    text_characters: int = 200_000
    """Longest text part in code points."""
    events_batch: int = EVENTS_PER_REQUEST
    event_bytes: int = MAX_EVENT_BYTES
    """Largest stored event, as JSON."""

    detect_threads: int = 1
    """Threads for short requests. One serves the local engine best: its work in Python does not run side
    by side, and a second thread only doubles the slowest answers."""
    detect_threads_long: int = 1
    """Threads for requests longer than a batch."""
    detect_batch: int = 8
    """Most items that are given to the detector together: where the local engine's time per item is
    lowest; larger batches only make their first item wait for their last."""
    detect_batch_characters: int = 20_000
    """A request with more text than this is long: it goes alone, and does not delay the short ones."""
    detect_queue: int = 512
    """Items waiting or in work, over all callers; beyond it 503."""
    detect_queue_per_key: int = 320
    """The same for one key; beyond it 429, so that one application cannot fill the queue alone."""
    detect_seconds: float = 10.0
    """How long a request may wait for its answer."""
    retry_after: int = 1
    """Seconds named in ``Retry-After`` with 429 and 503."""

    concurrent_requests: int = 512
    page: int = 500
    """Most rows in one answer of a listing."""
    retain_seconds: float = 180 * 86_400.0
    """Age at which events are dropped where no manifest says less."""
    adoption_days: int = 400
    """Days for which adoption sums are kept."""
    sweep_seconds: float = 300.0
    """Time between two retention sweeps."""

    job_bytes: int = 1024 * MIB
    """Largest media part that a job may announce; beyond it 413."""
    job_image_bytes: int = IMAGE.bytes
    job_audio_bytes: int = AUDIO.bytes
    job_video_bytes: int = VIDEO.bytes
    """Largest file of each kind that is looked into: what the decoders take. A larger one is not asked for
    and not read; its labels are missing with cause ``size``."""
    job_memory: int = 512 * MIB
    """Media of one job that are read into memory together; what comes after that is missing, ``size``."""
    spool_bytes: int = 16 * 1024 * MIB
    """Texts and media of all jobs that wait; beyond it new jobs are refused with 507."""
    spool_bytes_per_key: int = 8 * 1024 * MIB
    """The same for one key: beyond it 429; a job that alone has more is refused with 413."""
    jobs_per_key: int = 1_000
    """Jobs of one key that are not over; beyond it 429."""
    job_workers: int = 1
    """Jobs in work at one moment, each by a worker that has one at a time; 0 where other processes on the
    same store work on them."""
    job_seconds: float = 900.0
    """How long the detector may take for one attempt."""
    job_lease: float = 60.0
    """For how long a worker has a job without saying that it is alive; then another may take it. Also how
    much longer than :attr:`job_seconds` a detector may take before the attempt is given up."""
    job_attempts: int = 3
    """Attempts that failed (an error, a time-out, nothing answered) before a job is set aside. A service that
    is stopped gives its jobs back, and nothing is counted."""
    job_losses: int = 8
    """How often a worker may vanish over a job (its process was killed, or crashed) before the job is set
    aside unseen. More than :attr:`job_attempts`: most processes that are killed are killed for another
    reason than the job that they happen to work on."""
    job_pause: float = 30.0
    """Seconds before the second attempt; doubled for each further one."""
    job_receive_seconds: float = 3_600.0
    """How long a job may wait for its bytes."""
    job_aside_seconds: float = 72 * 3_600.0
    """How long the content of a job that was set aside is kept, so that an operator may have it tried again:
    as long as a hold lasts where nothing else is said. 0 keeps none."""
    job_retain_seconds: float = 7 * 86_400.0
    """How long the answer of a job is kept."""
    job_poll_seconds: float = 5.0
    """How often the worker looks for jobs that other processes brought, or whose pause is over."""
