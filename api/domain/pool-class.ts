import type { ImageStore } from "../../runtime/image/image-store.ts";
import type { PoolClass } from "../../runtime/pool/pool.ts";
import type { FunctionConfig } from "../schema/function.ts";

/** The class of containers that a function with a runner takes from. */
export async function poolClassOf(config: FunctionConfig, images: ImageStore): Promise<PoolClass> {
  const { runtime, tmpBytes, pids } = config;
  if (runtime === "command") throw new Error("A command function has no runner");
  return { runtime, tmpBytes, pids, image: await images.get(config.image) };
}
