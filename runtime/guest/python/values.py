"""Events in, answers out."""

import json

from .outflow import is_stream


class InvalidEvent(Exception):
    pass


def decode_event(content_type, body, _parse=json.loads):
    """The event as the handler gets it: a JSON value, a string for text, else bytes."""
    media_type = (content_type or "application/json").split(";", 1)[0].strip().lower()
    if media_type == "application/json" or media_type.endswith("+json"):
        try:
            return _parse(str(body, "utf-8")) if body else {}
        except ValueError as error:
            raise InvalidEvent("Cannot read the event as JSON: %s" % error) from None
    if media_type.startswith("text/"):
        return str(body, "utf-8", "replace")
    return body


# NaN and the infinities are no JSON, whatever this module thinks.
def encode_answer(
    value, _encode=json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
):
    """Content type and bytes of what a handler returned. A stream is as it is: its first chunk tells its type."""
    if isinstance(value, str):
        return "text/plain; charset=utf-8", value.encode("utf-8")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "application/octet-stream", bytes(value)
    if is_stream(value):
        return None, value
    return "application/json", _encode(value).encode("utf-8")
