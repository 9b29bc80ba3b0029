/** There are no regions here, but programs read one from the environment and from the ARN. */
export const region = "us-east-1";

/** The name of a function's version in the form that Lambda's clients read. */
export function functionArn(functionName: string, functionVersion: string): string {
  return `arn:aws:lambda:${region}:000000000000:function:${functionName}:${functionVersion}`;
}
