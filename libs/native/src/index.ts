/** The addon: sendfile(2) from page files to sockets, page files in memory, and signatures, where it could be built. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { RinglightError } from "@ringlight/core";
import { addonBase, buildNative } from "../build.cjs";

/** What the addon offers; see ringlight.c. */
interface Addon {
  sendFile(
    socketFd: number,
    head: Buffer,
    headOffset: number,
    headLength: number,
    fileFd: number,
    position: number,
    length: number,
  ): number;
  watch(socketFd: number, callback: () => void): object;
  arm(handle: object): void;
  unwatch(handle: object): void;
  mapPage(fd: number, length: number): boolean;
  unmapPage(fd: number, length: number): void;
  mapFile(fd: number, length: number): ArrayBuffer | undefined;
  /** What signText needs of a key of at most 64 bytes. */
  hmacPads?(key: Uint8Array): Buffer;
  /**
   * HMAC-SHA256, in hex, of an opening and the SHA-256, in hex, of a text, both of a byte a character; undefined where one of them
   * is too long.
   */
  signText?(pads: Buffer, opening: string, text: string): string | undefined;
  /** Whether a signature in hex is what signText gives, told in a time that does not depend on where they differ; undefined as there. */
  provesText?(pads: Buffer, opening: string, text: string, given: string): boolean | undefined;
}

/** -errno of a socket that takes no bytes now. */
export const AGAIN = -constants.errno.EAGAIN;

/** Tells when a socket takes bytes again. */
export interface WriteWatcher {
  /** The callback is called once, when the socket takes bytes or has failed. */
  arm(): void;
  /** Must be called before or when the socket closes: the connection stays open otherwise. Idempotent. */
  close(): void;
}

/** Sending and reading without copying. */
export interface Native {
  /**
   * One non-blocking turn: a head, then bytes of a file, at most 4 MiB of them. Only for a socket whose own stream has nothing
   * queued. Returns the bytes sent, those of the head included, or -errno when there were none ({@link AGAIN}: the socket is full).
   *
   * @param length bytes of the file from `position` on
   */
  readonly sendFile: Addon["sendFile"];
  /** @throws RL_INTERNAL when no descriptor is left */
  watchWritable(socketFd: number, onWritable: () => void): WriteWatcher;
  /**
   * Keeps the first bytes of a file mapped, so that sendFile sends small answers from there with one system call less, and long
   * ones where that is cheaper. False where the file is shorter or not on tmpfs. unmapPage() must come before the descriptor is closed: whoever gets its number
   * next would be sent these bytes.
   */
  readonly mapPage: Addon["mapPage"];
  readonly unmapPage: Addon["unmapPage"];
  /**
   * The first bytes of a file, in memory as long as the ArrayBuffer is not detached or collected, after the descriptor is closed
   * too. Whoever writes to them ends the process. Undefined where the file is shorter, not on tmpfs, or cannot be mapped.
   */
  readonly mapFile: Addon["mapFile"];
  /** Makes signatures in one call; undefined where this Node does not export OpenSSL's SHA-256. */
  readonly signer: Required<Pick<Addon, "hmacPads" | "signText" | "provesText">> | undefined;
}

/** The addon, or why there is none. */
export type NativeLoad =
  | { readonly native: Native }
  | {
      readonly native: undefined;
      /** For people: "no C compiler was found". */
      readonly reason: string;
    };

/** Builds the addon for this process's Node if it is not there yet; returns why that failed. For tests and benchmarks: else the bootstrap does it. */
export function ensureNative(): string | undefined {
  return buildNative(process.execPath, process.versions.modules);
}

/** Loads the addon that was built for this Node. Never throws. */
export function loadNative(): NativeLoad {
  let base = "";
  try {
    base = addonBase(process.versions.modules);
    const addon = createRequire(import.meta.url)(`${base}.node`) as Addon;
    const { sendFile, mapPage, unmapPage, mapFile, hmacPads, signText, provesText } = addon;
    const signer = hmacPads && signText && provesText && { hmacPads, signText, provesText };
    const watchWritable = (fd: number, callback: () => void) => watcher(addon, fd, callback);
    return { native: { sendFile, mapPage, unmapPage, mapFile, watchWritable, signer } };
  } catch (error) {
    return { native: undefined, reason: whyNotBuilt(base) ?? words(error) };
  }
}

function watcher(addon: Addon, fd: number, callback: () => void): WriteWatcher {
  let handle: object;
  try {
    handle = addon.watch(fd, callback);
  } catch (cause) {
    throw new RinglightError("RL_INTERNAL", `a connection cannot be watched: ${words(cause)}`, { cause });
  }
  let open = true;
  return {
    arm: () => {
      if (open) addon.arm(handle);
    },
    close: () => {
      if (open) addon.unwatch(handle);
      open = false;
    },
  };
}

/** What the build left behind. */
function whyNotBuilt(base: string): string | undefined {
  try {
    return readFileSync(`${base}.why`, "utf8");
  } catch {
    return undefined;
  }
}

function words(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === "MODULE_NOT_FOUND" ? "the addon was not built" : message;
}
