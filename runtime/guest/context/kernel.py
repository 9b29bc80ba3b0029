"""A context of Python: runs cells one after another in one namespace, and tells what comes of them."""

import ast
import asyncio
import base64
import builtins
import fcntl
import inspect
import json
import linecache
import os
import re
import signal
import sys
import threading
import traceback
import types
import warnings

# No process that a cell starts has them.
requests = os.fdopen(fcntl.fcntl(3, fcntl.F_DUPFD_CLOEXEC, 200), "rb")
messages = fcntl.fcntl(4, fcntl.F_DUPFD_CLOEXEC, 200)
os.close(3)
os.close(4)

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
MAX_VALUE_CHARS = 2 * 1024 * 1024
MAX_ERROR_CHARS = 64 * 1024
MIME_TYPE = r"[a-z]+/[\w.+-]{1,100}"
MIME_METHODS = (
    ("text/html", "_repr_html_"),
    ("text/markdown", "_repr_markdown_"),
    ("text/latex", "_repr_latex_"),
    ("image/svg+xml", "_repr_svg_"),
    ("image/png", "_repr_png_"),
    ("image/jpeg", "_repr_jpeg_"),
    ("application/pdf", "_repr_pdf_"),
    ("application/json", "_repr_json_"),
    ("application/javascript", "_repr_javascript_"),
)

owner = os.getpid()
lock = threading.Lock()
main = types.ModuleType("__main__")
sys.modules["__main__"] = main
token = None
is_interruptible = False
# Whether an interrupt came while none could be heeded.
is_interrupted = False
loop = None


def tell(kind, **fields):
    """Says something of the cell that runs, as a whole; what the cell has written comes before it."""
    global is_interruptible
    if threading.get_ident() != threading.main_thread().ident:
        return send(kind, fields)
    was_interruptible = is_interruptible
    is_interruptible = False
    try:
        send(kind, fields)
    finally:
        is_interruptible = was_interruptible
    heed_interrupt()


def send(kind, fields):
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass
    with lock:
        if os.getpid() != owner or (token is None and kind != "ready"):
            return
        head = encoded({"type": kind, "token": token, **fields})
        if len(head) > MAX_MESSAGE_BYTES:
            head = encoded({"type": kind, "token": token, **fields, "data": {}, "cut": [*fields["data"]]})
        rest = memoryview((4 + len(head)).to_bytes(4, "big") + len(head).to_bytes(4, "big") + head)
        while rest:
            rest = rest[os.write(messages, rest) :]


def encoded(message):
    """A message as bytes; halves of characters, which UTF-8 does not have, are escaped as JSON does it."""
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "backslashreplace")


def on_interrupt(_number, _frame):
    global is_interrupted
    is_interrupted = True
    heed_interrupt()


def heed_interrupt():
    global is_interrupted
    if is_interruptible and is_interrupted:
        is_interrupted = False
        raise KeyboardInterrupt


# Results.


def bundle_of(value):
    """A value as what can be shown of it, by media type."""
    if isinstance(value, type):
        return {"text/plain": text_of(value)}
    bundle = {"text/plain": text_of(value)}
    own = called(value, "_repr_mimebundle_")
    if isinstance(own, tuple):
        own = own[0]
    if isinstance(own, dict):
        bundle.update(own)
    for mime, method in MIME_METHODS:
        found = called(value, method)
        if isinstance(found, tuple):
            found = found[0]
        if found is not None:
            bundle[mime] = found
    figure = sys.modules.get("matplotlib.figure")
    if figure is not None and isinstance(value, figure.Figure):
        bundle["image/png"] = png_of(value)
    return bundle


def called(value, name):
    method = getattr(type(value), name, None)
    if not callable(method):
        return None
    try:
        return method(value)
    except Exception:
        traceback.print_exc()
        return None


def text_of(value):
    try:
        return repr(value)
    except Exception as error:
        return "<%s whose repr() fails: %s>" % (type(value).__name__, type(error).__name__)


def png_of(figure):
    import io

    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight")
    return file.getvalue()


def show(bundle, is_main):
    """Tells a bundle within its bounds: text is cut, what else is too long is left out, and both are named."""
    data, cut = {}, []
    for mime, value in list(bundle.items())[:32]:
        if not re.fullmatch(MIME_TYPE, str(mime), re.ASCII):
            raise ValueError("%r is no media type" % (mime,))
        if mime == "application/json" or mime.endswith("+json"):
            try:
                is_long = len(json.dumps(value, allow_nan=False)) > MAX_VALUE_CHARS
            except (TypeError, ValueError, RecursionError):
                is_long = True
            if is_long:
                cut.append(mime)
                continue
        else:
            value = base64.b64encode(value).decode() if isinstance(value, (bytes, bytearray)) else str(value)
            if len(value) > MAX_VALUE_CHARS:
                cut.append(mime)
                if not mime.startswith("text/"):
                    continue
                value = value[:MAX_VALUE_CHARS]
        data[mime] = value
    tell("result", data=data, isMain=is_main, cut=cut)


def display(*values, raw=False):
    """Shows values as results of the cell; with `raw`, dictionaries of media types as they are."""
    for value in values:
        show(value if raw else bundle_of(value), False)


def show_figures():
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    for number in pyplot.get_fignums():
        display(pyplot.figure(number))
    pyplot.close("all")


# Cells.


def compile_part(node, name, mode):
    return compile(node, name, mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


def evaluate(parts):
    """The value of the last of some parts; in the context's event loop where one of them awaits something."""
    if any(part.co_flags & inspect.CO_COROUTINE for part in parts):
        return in_loop(awaited(parts))
    return [eval(part, main.__dict__) for part in parts][-1]


async def awaited(parts):
    value = None
    for part in parts:
        value = eval(part, main.__dict__)
        if part.co_flags & inspect.CO_COROUTINE:
            value = await value
    return value


def in_loop(coroutine):
    global loop
    if loop is None or loop.is_closed():
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
    task = loop.create_task(coroutine)
    try:
        return loop.run_until_complete(task)
    except BaseException:
        if not task.done():
            task.cancel()
            loop.run_until_complete(asyncio.wait([task]))
        raise


def run(source, name):
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    body = ast.parse(source, name).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    parts = [compile_part(ast.Module(body, []), name, "exec")]
    if last is not None:
        parts.append(compile_part(ast.Expression(last.value), name, "eval"))
    value = evaluate(parts)
    if value is not None:
        show(bundle_of(value), True)
    show_figures()


def tell_error(error, name):
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != name:
        frames = frames.tb_next
    try:
        lines = traceback.format_exception(type(error), error, frames)
        message = str(error)
    except Exception as other:
        lines = ["%s, of which nothing can be told: %s\n" % (type(error).__name__, type(other).__name__)]
        message = ""
    text = "".join(lines)
    tell("error", name=type(error).__name__, message=message[:MAX_ERROR_CHARS], traceback=text[-MAX_ERROR_CHARS:])


def serve(request):
    global token, is_interruptible, is_interrupted
    is_interrupted = False
    token = request["token"]
    tell("begun")
    name = "<cell %d>" % request["count"]
    failure = None
    try:
        try:
            is_interruptible = True
            heed_interrupt()
            run(request["code"], name)
        except BaseException as error:
            failure = error
        is_interruptible = False
    except KeyboardInterrupt as error:
        # It came when the cell was over, but for this.
        failure = failure or error
    is_interruptible = False
    if os.getpid() != owner:
        os._exit(0)
    if failure is not None:
        tell_error(failure, name)
    tell("done")
    with lock:
        token = None


def next_request():
    prefix = requests.read(8)
    if len(prefix) < 8:
        os._exit(0)
    return json.loads(requests.read(int.from_bytes(prefix[:4], "big") - 4))


signal.signal(signal.SIGINT, on_interrupt)
for stream in (sys.stdout, sys.stderr):
    stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
sys.argv = [""]
os.environ.setdefault("MPLBACKEND", "Agg")
warnings.filterwarnings("ignore", message=".*non-interactive, and thus cannot be shown")
main.__dict__.update(__builtins__=builtins, display=display)
tell("ready")
while True:
    serve(next_request())
