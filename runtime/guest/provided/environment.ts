import type { LoadMessage } from "../messages.ts";
import { region } from "./function-arn.ts";

/**
 * The environment of a program: the container's, what Lambda sets, and the function's own, which may change
 * all but where the Runtime API is. `api` is that as `host:port`.
 */
export function programEnvironment(
  load: LoadMessage,
  root: string,
  api: string,
): Record<string, string | undefined> {
  const { functionName, functionVersion, memoryBytes } = load;
  return {
    ...process.env,
    TZ: ":UTC",
    LD_LIBRARY_PATH: [root, `${root}/lib`, process.env["LD_LIBRARY_PATH"] ?? []].flat().join(":"),
    LAMBDA_TASK_ROOT: root,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_LAMBDA_FUNCTION_NAME: functionName,
    AWS_LAMBDA_FUNCTION_VERSION: functionVersion,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(Math.floor(memoryBytes / (1024 * 1024))),
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${functionName}`,
    AWS_LAMBDA_LOG_STREAM_NAME: `[${functionVersion}]`,
    _HANDLER: load.handler ?? "bootstrap",
    ...load.env,
    AWS_LAMBDA_RUNTIME_API: api,
  };
}
