/** Opens a target by its URL's scheme. */
import { fileURLToPath } from "node:url";
import { RinglightError } from "@ringlight/core";
import { DirectoryTarget } from "./directory-target.ts";
import { HttpTarget } from "./http-target.ts";
import { SdkTarget } from "./sdk-target.ts";
import type { Target, TargetAddress } from "./target.ts";

/** Opens it. @throws RL_BAD_REQUEST for a scheme that there is not */
export async function openTarget(address: TargetAddress, connections: number): Promise<Target> {
  if (/^https?:/.test(address.url)) return new HttpTarget({ address, connections });
  if (address.url.startsWith("ringlight:")) return await SdkTarget.open(address);
  if (address.url.startsWith("file:")) return new DirectoryTarget(fileURLToPath(address.url));
  throw new RinglightError(
    "RL_BAD_REQUEST",
    `"${address.url}" is no target; http(s)://host/bucket/prefix, ringlight://host:port/mount/prefix and file:///directory are`,
  );
}
