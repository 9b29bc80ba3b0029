"""What a handler is told about its invocation."""

import time


class Context:
    """Under Runlet's names and AWS Lambda's."""

    def __init__(self, load, invoke):
        memory_bytes = load.get("memoryBytes", 0)
        self.invocation_id = invoke["id"]
        self.aws_request_id = invoke["id"]
        self.traceparent = invoke.get("traceparent")
        self.trace_id = self.traceparent and self.traceparent[3:35]
        self.function_name = load.get("functionName", "")
        self.function_version = load.get("functionVersion", "")
        self.memory_limit_in_mb = memory_bytes // (1024 * 1024)
        self.memory_limit_bytes = memory_bytes
        self.deadline_at_ms = invoke["deadlineAtMs"]

    def get_remaining_time_in_millis(self, _now=time.time):
        return max(0, int(self.deadline_at_ms - _now() * 1000))
