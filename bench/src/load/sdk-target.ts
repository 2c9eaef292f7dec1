/** A cluster by the SDK: straight to the owners, past the worker where it is on this host. */
import { connect, type RinglightClient } from "@ringlight/client";
import type { PlannedRequest } from "../workloads/plan.ts";
import { type Answer, failed, type Target, type TargetAddress } from "./target.ts";

/** Ranges of up to this are asked for together with others. */
const SMALL_BYTES = 256 * 1024;

/** Reads by RinglightClient. */
export class SdkTarget implements Target {
  readonly #client: RinglightClient;
  readonly #prefix: string;

  private constructor(client: RinglightClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
  }

  /** Connects. @throws RL_NO_WORKERS */
  static async open(address: TargetAddress): Promise<SdkTarget> {
    const match = /^ringlight:\/\/([^/]+)(\/.+)$/.exec(address.url);
    if (match === null) throw new Error(`"${address.url}" is not ringlight://host:grpc-port/mount/prefix`);
    const client = await connect({ endpoints: match[1]!.split(","), token: address.token });
    return new SdkTarget(client, match[2]!.replace(/\/?$/, "/"));
  }

  perform(request: PlannedRequest, done: (answer: Answer) => void): void {
    const sentMs = performance.now();
    this.#perform(request, sentMs).then(done, (error: unknown) => done(failed(error)));
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  async #perform({ op, key, offset, length }: PlannedRequest, sentMs: number): Promise<Answer> {
    const path = this.#prefix + key;
    const answered = (bytes: number, firstByteMs = performance.now() - sentMs): Answer => ({
      ok: true,
      bytes,
      firstByteMs,
      error: "",
      head: "",
    });
    switch (op) {
      case "head":
      case "open":
        await this.#client.stat(path);
        return answered(0);
      case "list":
        await this.#client.list(path);
        return answered(0);
      case "put":
        throw new Error("the SDK does not write; use an http:// target");
      case "get": {
        if (length > 0 && length <= SMALL_BYTES) {
          const data = await this.#client.readRange(path, offset, length);
          if (data.length !== length) throw new Error(`${path} ${offset}+${length}: ${data.length} bytes came`);
          return answered(length);
        }
        let bytes = 0;
        let firstByteMs = 0;
        for await (const chunk of this.#client.read(path, { offset, ...(length > 0 && { length }) }).stream) {
          if (bytes === 0) firstByteMs = performance.now() - sentMs;
          bytes += chunk.length;
        }
        if (length > 0 && bytes !== length) throw new Error(`${path} ${offset}+${length}: ${bytes} bytes came`);
        return answered(bytes, firstByteMs);
      }
    }
  }
}
