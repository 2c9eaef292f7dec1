/** Builds rings beside the page's thread: one of 1,500 members takes seconds, in which a page must not stand still. */
import { buildRing, packRing, type Ring, type RingMember } from "@ringlight/ring";

/** What the page asks for. */
export interface RingRequest {
  readonly members: readonly RingMember[];
  readonly epoch: number;
}

let previous: Ring | undefined;

// The scope of a worker, of which the types of a page know only the part that both have.
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<RingRequest>) => void;
  postMessage(message: unknown, transfer: readonly Transferable[]): void;
};

scope.onmessage = ({ data: { members, epoch } }) => {
  const ring = buildRing(members, { epoch, ...(previous ? { previous } : {}) });
  previous = ring;
  const packed = packRing(ring);
  scope.postMessage(packed, [packed.choices.buffer, packed.primaries.buffer]);
};
