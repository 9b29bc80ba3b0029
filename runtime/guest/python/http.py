"""HTTP requests as events, and what handlers make of them, as AWS Lambda has both for function URLs."""

import json

from .outflow import is_stream
from .values import encode_answer

MAX_HEADERS = 512
MAX_HEADER_LENGTH = 16 * 1024
MAX_CONTENT_TYPE_LENGTH = 1024
JSON_TYPE = "application/json"


def make_http_event(request, body, context):
    """A request as an event of payload format 2.0."""
    import time
    from urllib.parse import parse_qsl, urlsplit

    url = urlsplit(request["url"])
    headers = joined(pair for pair in request["headers"] if pair[0] != "cookie")
    cookies = [text for name, text in request["headers"] if name == "cookie"]
    prefix = headers.get("x-forwarded-prefix", "")
    path = url.path[len(prefix) :] if url.path.startswith(prefix) else ""
    path = path or "/"
    now = time.time()
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": url.query,
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": context.function_name,
            "domainName": url.netloc,
            "domainPrefix": url.netloc.split(".", 1)[0],
            "http": {
                "method": request["method"],
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": headers.get("x-forwarded-for", ""),
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": context.invocation_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": log_time(time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = [part.strip() for text in cookies for part in text.split(";")]
    if url.query:
        event["queryStringParameters"] = joined(parse_qsl(url.query, keep_blank_values=True))
    if body:
        text = body_text(headers.get("content-type", ""), body)
        event["isBase64Encoded"] = text is None
        event["body"] = as_base64(body) if text is None else text
    return event


def encode_http_answer(value):
    """Status, headers, content type and bytes, or stream, of what a handler made of a request."""
    if isinstance(value, str):
        return None, None, JSON_TYPE, value.encode("utf-8")
    if not isinstance(value, dict) or "statusCode" not in value:
        content_type, body = encode_answer(value)
        return None, None, content_type, body
    status = as_status(value["statusCode"])
    body = value.get("body")
    if body is None:
        body = ""
    is_whole = isinstance(body, str)
    if not is_whole and not is_stream(body):
        raise unfit("its body is neither a string nor a stream")
    headers = headers_of(value)
    content_type = next((text for name, text in headers if name == "content-type"), JSON_TYPE)
    if not is_whole:
        return status, headers, content_type, body
    if value.get("isBase64Encoded") is True:
        import base64

        return status, headers, content_type, base64.b64decode(body)
    return status, headers, content_type, body.encode("utf-8")


def as_status(value):
    try:
        status = int(value)
    except (TypeError, ValueError):
        status = 0
    if not 200 <= status <= 599:
        raise unfit("its statusCode is not a whole number from 200 to 599")
    return status


def headers_of(value):
    pairs = [(str(name).lower(), header_text(text)) for name, text in (value.get("headers") or {}).items()]
    pairs += [("set-cookie", str(cookie)) for cookie in value.get("cookies") or ()]
    if len(pairs) > MAX_HEADERS:
        raise unfit("it has too many headers")
    for name, text in pairs:
        if not is_header(name, text):
            raise unfit("its header %s is none of HTTP" % json.dumps(name))
    return pairs


def header_text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_header(name, text):
    import re

    bound = MAX_CONTENT_TYPE_LENGTH if name == "content-type" else MAX_HEADER_LENGTH
    is_name = re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}", name)
    return bool(is_name and re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", text)) and len(text) <= bound


def unfit(fact):
    return TypeError("Cannot answer with this object: " + fact)


def joined(pairs):
    """Pairs by their names, those of one name with commas between them."""
    values = {}
    for name, text in pairs:
        values[name] = values[name] + "," + text if name in values else text
    return values


def body_text(content_type, body):
    """The body as text where its type says that it is some, else None."""
    media_type = content_type.split(";", 1)[0].strip().lower()
    types = (JSON_TYPE, "application/javascript", "application/xml")
    if not (media_type in types or media_type.startswith("text/") or media_type.endswith(("+json", "+xml"))):
        return None
    try:
        return str(body, "utf-8")
    except UnicodeDecodeError:
        return None


def as_base64(body):
    import base64

    return base64.b64encode(body).decode("ascii")


def log_time(moment):
    """As the common log format has it; names of months are English whatever the locale."""
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    clock = "%02d:%02d:%02d" % moment[3:6]
    return "%02d/%s/%d:%s +0000" % (moment.tm_mday, months[moment.tm_mon - 1], moment.tm_year, clock)
