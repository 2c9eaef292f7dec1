/** Builds rings beside the page's thread: one of 1,500 members takes seconds, in which a page must not stand still. */
import {
  buildRing,
  diff,
  type PackedRing,
  packRing,
  type Ring,
  type RingChange,
  type RingDiff,
  type RingMember,
  whatIf,
} from "@ringlight/ring";

/** Members and epoch: all that a ring is made of. */
export interface RingMakings {
  readonly members: readonly RingMember[];
  readonly epoch: number;
}

/** What a page asks for: a ring; a change of it; or a ring beside the one before it. */
export type RingQuestion =
  | { readonly kind: "ring"; readonly of: RingMakings }
  | { readonly kind: "change"; readonly of: RingMakings; readonly change: RingChange }
  | { readonly kind: "past"; readonly of: RingMakings; readonly before: RingMakings | undefined };

/** A question on its way to the thread. */
export interface RingRequest {
  readonly id: number;
  readonly question: RingQuestion;
}

/** The answer: the ring that was asked for, the one that it is compared with, and what differs; or why there is none. */
export interface RingAnswer {
  readonly id: number;
  readonly ring?: PackedRing;
  readonly before?: PackedRing;
  readonly diff?: RingDiff;
}

/** The last ring that was built as it is; the next is near it, and changes depart from it. */
let latest: { readonly key: string; readonly ring: Ring } | undefined;

function ringOf({ members, epoch }: RingMakings): Ring {
  const key = `${epoch} ${members.map(({ id, weight }) => `${id}=${weight}`).join()}`;
  if (latest?.key !== key) {
    latest = { key, ring: buildRing(members, { epoch, ...(latest ? { previous: latest.ring } : {}) }) };
  }
  return latest.ring;
}

function answerTo(question: RingQuestion): Omit<RingAnswer, "id"> {
  if (question.kind === "ring") return { ring: packRing(ringOf(question.of)) };
  if (question.kind === "change") {
    const { ring, diff: differs } = whatIf(ringOf(question.of), question.change);
    return { ring: packRing(ring), diff: differs };
  }
  const { of, before } = question;
  const older = before && buildRing(before.members, { epoch: before.epoch });
  const ring = buildRing(of.members, { epoch: of.epoch, ...(older ? { previous: older } : {}) });
  return { ring: packRing(ring), ...(older ? { before: packRing(older), diff: diff(older, ring) } : {}) };
}

// The scope of a worker, of which the types of a page know only the part that both have.
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<RingRequest>) => void;
  postMessage(message: RingAnswer, transfer: readonly Transferable[]): void;
};

scope.onmessage = ({ data: { id, question } }) => {
  let answer: Omit<RingAnswer, "id"> = {};
  try {
    answer = answerTo(question);
  } catch {
    // A change that does not fit the ring any more has no answer.
  }
  const packed = [answer.ring, answer.before].filter((ring) => ring !== undefined);
  scope.postMessage(
    { id, ...answer },
    packed.flatMap(({ choices, primaries }) => [choices.buffer, primaries.buffer]),
  );
};
