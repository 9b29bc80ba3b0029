import { type Buffer, isUtf8 } from "node:buffer";
import type { InvokeRequest } from "../messages.ts";
import type { Context } from "./context.ts";

const textType = /^(?:text\/|application\/(?:json|javascript|xml)$|.*\+(?:json|xml)$)/;

/** An HTTP request as the event that AWS Lambda makes of it for a function URL: payload format 2.0. */
export function makeHttpEvent(request: InvokeRequest, body: Buffer, context: Context): object {
  const url = new URL(request.url);
  const headers = joined(request.headers.filter(([name]) => name !== "cookie"));
  const cookies = request.headers.filter(([name]) => name === "cookie");
  const prefix = headers["x-forwarded-prefix"] ?? "";
  const path = (url.pathname.startsWith(prefix) && url.pathname.slice(prefix.length)) || "/";
  const query = joined([...url.searchParams]);
  const isText = textType.test(mediaType(headers["content-type"])) && isUtf8(body);
  const now = new Date();
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: path,
    rawQueryString: url.search.slice(1),
    ...(cookies.length > 0 && { cookies: cookies.flatMap(([, text]) => text.split(/; */)) }),
    headers,
    ...(url.search.length > 1 && { queryStringParameters: query }),
    requestContext: {
      accountId: "anonymous",
      apiId: context.functionName,
      domainName: url.host,
      domainPrefix: url.host.split(".", 1)[0],
      http: {
        method: request.method,
        path,
        protocol: "HTTP/1.1",
        sourceIp: headers["x-forwarded-for"] ?? "",
        userAgent: headers["user-agent"] ?? "",
      },
      requestId: context.invocationId,
      routeKey: "$default",
      stage: "$default",
      time: logTime(now),
      timeEpoch: now.getTime(),
    },
    ...(body.length > 0 && { body: body.toString(isText ? "utf8" : "base64") }),
    isBase64Encoded: body.length > 0 && !isText,
  };
}

/** Pairs by their names, those of one name with commas between them. */
function joined(pairs: readonly (readonly [string, string])[]): Record<string, string> {
  const all = new Map<string, string>();
  for (const [name, text] of pairs) {
    const known = all.get(name);
    all.set(name, known === undefined ? text : `${known},${text}`);
  }
  return Object.fromEntries(all);
}

function mediaType(contentType: string | undefined): string {
  return contentType?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/** A moment as the common log format has it, such as 12/Mar/2026:19:03:58 +0000. */
function logTime(moment: Date): string {
  const [, day, month, year, time] = moment.toUTCString().split(" ");
  return `${day}/${month}/${year}:${time} +0000`;
}
