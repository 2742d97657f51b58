"""Which class of pika's stands for which of ours."""

from __future__ import annotations

import pika.spec

from fakeamqp.spec import methods
from fakeamqp.spec.methods import Method

FRAME_OVERHEAD = 8
"""Octets of a frame around its payload."""

PIKA_CLASSES: dict[type[Method], type] = {
    ours: pika.spec.methods[class_id << 16 | method_id]
    for (class_id, method_id), ours in methods.METHODS.items()
    if class_id << 16 | method_id in pika.spec.methods
}
"""pika's class for each of ours that pika knows."""

CONTENT_FIELDS = ("properties", "body")
"""Fields of ours that pika sends in frames of their own."""
