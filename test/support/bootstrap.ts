/**
 * A program in Python that speaks the Lambda Runtime API. `body` is the body of `handle(event, id)`, with
 * `call(method, path, body, headers)`, `respond(id, body, headers)` and `fail(id, body, headers)` at hand, each
 * of which answers (status, headers, body).
 */
export function pythonBootstrap(body: string, before = ""): string {
  return `#!/usr/bin/env python3
import base64, http.client, json, os, signal, sys, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None, headers={}):
    api.request(method, "/2018-06-01" + path, body, headers)
    answer = api.getresponse()
    return answer.status, answer.headers, answer.read()
def respond(id, body, headers={}):
    return call("POST", f"/runtime/invocation/{id}/response", body, headers)
def fail(id, body, headers={}):
    return call("POST", f"/runtime/invocation/{id}/error", body, headers)
def handle(event, id, headers):
${indented(body)}
${before}
while True:
    status, headers, event = call("GET", "/runtime/invocation/next")
    handle(event, headers["Lambda-Runtime-Aws-Request-Id"], headers)
`;
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, "    ");
}
