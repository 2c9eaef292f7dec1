/** Whether a read may be answered at once: the general handler's rules, with "no" for whatever it has more to say about. */
import { systemClock } from "@ringlight/core";
import { RequestVerifier } from "@ringlight/sigv4";
import type { S3HandlerOptions } from "../handler.ts";
import { actionOf } from "../policy/actions.ts";
import { parseTarget, type Target } from "../target.ts";
import type { RequestHead } from "./request-head.ts";

/** The handler's own options, as far as they decide about access. */
export type ReadAccessOptions = Pick<
  S3HandlerOptions,
  "credentials" | "permits" | "anonymous" | "region" | "clock" | "maxSkewMs" | "hostSuffixes"
>;

/** Parameters of a query that change nothing about what is read. */
const NEUTRAL =
  /^(?:X-Amz-(?:Algorithm|Credential|Date|Expires|SignedHeaders|Signature|Content-Sha256|Security-Token)|x-id)$/;

/** The action of GetObject and of HeadObject. */
const READ_ACTION = actionOf("GetObject") ?? "";

/** Decides for plain reads of objects. */
export class ReadAccess {
  readonly #options: ReadAccessOptions;
  readonly #suffixes: readonly string[];
  readonly #verifier = new RequestVerifier();

  constructor(options: ReadAccessOptions) {
    this.#options = options;
    this.#suffixes = (options.hostSuffixes ?? []).map((suffix) => suffix.toLowerCase());
  }

  /** True when every target of the host names its bucket in the path. */
  isPathStyle(host: string): boolean {
    const low = host.toLowerCase();
    return !this.#suffixes.some(
      (suffix) => low.includes(suffix) && parseTarget("/", host, this.#suffixes).bucket !== "",
    );
  }

  /** The object that a plain read is addressed to, or undefined for any other request. */
  plainTarget(url: string, host: string | undefined): Target | undefined {
    let target: Target;
    try {
      target = parseTarget(url, host, this.#suffixes);
    } catch {
      return undefined;
    }
    if (target.bucket === "" || target.key === "") return undefined;
    for (const name of target.query.keys()) if (!NEUTRAL.test(name)) return undefined;
    return target;
  }

  /** True when the request may read the target. */
  allows(head: RequestHead, target: Target): boolean {
    const { anonymous, credentials, permits, region, maxSkewMs, clock = systemClock } = this.#options;
    // No name occurs twice, and all was read as latin1.
    const received = { method: head.method, rawUrl: target.rawUrl, headers: head.headers, isBytes: true };
    if (this.#verifier.isUnsigned(received)) return anonymous?.(target.bucket) === true;
    const result = this.#verifier.verify(received, {
      lookup: credentials,
      now: clock.now(),
      ...(maxSkewMs !== undefined && { maxSkewMs }),
      ...(region !== undefined && { region }),
    });
    if (!result.ok) return false;
    return permits === undefined || permits(result.accessKeyId, READ_ACTION, target.bucket, target.key, target.query);
  }
}
