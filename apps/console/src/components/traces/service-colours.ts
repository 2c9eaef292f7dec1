/** Colours of services in traces: by name, so that a service looks the same in every trace. */
import { workerColour } from "@ringlight/ui";

/** Services of ours that come first. */
const KNOWN = ["ringlight-worker", "ringlight-scheduler", "ringlight-cli", "ringlight-console", "ringlight-client"];

/** A colour for each service. */
export function serviceColours(services: Iterable<string>): ReadonlyMap<string, string> {
  const others = [...new Set(services)].filter((service) => !KNOWN.includes(service)).sort();
  return new Map([...KNOWN, ...others].map((service, index) => [service, workerColour(index)]));
}
