"""The python side of the channel protocol (see PROTOCOL.md): loads code, calls its handler, answers."""

import os
import sys
import time

from .channel import Channel
from .context import Context
from .failure import describe
from .handler import load_handler
from .http import encode_http_answer, make_http_event
from .outflow import Outflow, is_credit, is_stream
from .task import write_task
from .values import decode_event, encode_answer
from .warm import warm_up

PROTOCOL = 1
DEFAULT_ROOT = "/tmp/task"


class Runner:
    def __init__(self):
        self._channel = Channel()
        self._load = None
        self._handler = None
        self._loop = None
        self._clock = time.perf_counter_ns

    def run(self):
        """Serves the host until it closes the channel."""
        self._channel.send(
            {
                "type": "hello",
                "protocol": PROTOCOL,
                "runtime": "python",
                "runtimeVersion": "%d.%d.%d" % sys.version_info[:3],
            }
        )
        while True:
            header, body = self._channel.receive()
            kind = header.get("type")
            if kind == "warm" and self._load is None:
                warm_up()
                self._channel.send({"type": "warmed"})
            elif kind == "load" and self._load is None and is_load(header):
                self.load(header, body)
            elif kind == "invoke" and self._load is not None and is_invoke(header):
                # After a failed load there is nothing to call, and the host knows.
                if self._handler is not None:
                    self.invoke(header, body)
            elif self._load is not None and is_credit(header):
                pass  # It crossed the end of the answer that it was for.
            else:
                self._channel.give_up("unexpected message %s" % kind)

    def load(self, header, body):
        started_at = self._clock()
        self._load = header
        try:
            root = header.get("root", DEFAULT_ROOT)
            write_task(root, header["files"], body)
            os.environ.update(header["env"])
            if "TZ" in header["env"]:
                time.tzset()
            os.chdir(root)
            self._handler = load_handler(root, header["files"], header.get("handler"))
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._channel.send({"type": "load_error", "error": describe(error)})
            return
        self._channel.send({"type": "loaded", "loadUs": (self._clock() - started_at) // 1000})

    def invoke(self, header, body):
        try:
            result, answer = self.answer(header, body)
            if is_stream(answer):
                self.stream(result, answer)
            else:
                self._channel.send(result, answer)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._channel.send({"type": "error", "id": header["id"], "error": describe(error)})

    def answer(self, header, body):
        """The result of one call of the handler, and its body."""
        context = Context(self._load, header)
        request = header.get("request")
        if request is None:
            value = self.call(decode_event(header.get("contentType"), body), context)
            content_type, answer = encode_answer(value)
            return {"type": "result", "id": header["id"], "contentType": content_type}, answer
        value = self.call(make_http_event(request, body, context), context)
        status, headers, content_type, answer = encode_http_answer(value)
        result = {"type": "result", "id": header["id"], "contentType": content_type}
        if status is not None:
            result.update(status=status, headers=headers)
        return result, answer

    def call(self, event, context):
        value = self._handler(event, context)
        return self.wait_for(value) if hasattr(value, "__await__") else value

    def stream(self, result, chunks):
        outflow = Outflow(self._channel, result)
        if hasattr(chunks, "__aiter__"):
            self.wait_for(outflow.write_all(chunks))
        else:
            for chunk in chunks:
                outflow.write(chunk)
        outflow.end()

    def wait_for(self, awaitable):
        """One event loop for all invocations: clients that user code keeps are bound to it."""
        import asyncio

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)

        async def wait():
            return await awaitable

        return self._loop.run_until_complete(wait())


def is_load(header):
    return isinstance(header.get("files"), list) and isinstance(header.get("env"), dict)


def is_invoke(header):
    return isinstance(header.get("id"), str) and isinstance(header.get("deadlineAtMs"), (int, float))


# What is printed must not be lost when the process is killed at its deadline.
sys.stdout.reconfigure(line_buffering=True)
Runner().run()
