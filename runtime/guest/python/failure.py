"""Exceptions as the host is told about them."""

MAX_TEXT_LENGTH = 64 * 1024
MAX_NAME_LENGTH = 200


def describe(error):
    """An exception in bounded texts; never raises itself."""
    described = {"name": cut(type(error).__name__, MAX_NAME_LENGTH)}
    try:
        described["message"] = cut(str(error), MAX_TEXT_LENGTH)
    except Exception:
        described["message"] = "(unreadable)"
    try:
        import traceback

        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == RUNNER_FILE:
            trace = trace.tb_next
        lines = traceback.format_exception(type(error), error, trace)
        described["stack"] = cut("".join(lines), MAX_TEXT_LENGTH)
    except Exception:
        pass
    return described


def cut(text, max_length):
    # JSON counts in UTF-16 units on the other side, so the longest character counts as two.
    if len(text) <= max_length // 2 or len(text.encode("utf-16-le", "surrogatepass")) <= 2 * max_length:
        return text
    kept = text[: max_length // 2]
    return "%s… [%d more characters]" % (kept, len(text) - len(kept))


# All of the runner is one script when it runs.
RUNNER_FILE = describe.__code__.co_filename
