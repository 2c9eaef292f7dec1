/**
 * The flame view of a trace: spans with the same names above them become one frame, as wide as the sum of their times. So a
 * thousand reads of a page are one block, whose width says what they cost together.
 */
import type { SpanLike, TraceNode, TraceTree } from "./trace-tree.ts";

/** One block. */
export interface FlameFrame {
  /** Unlike every other frame's. */
  readonly key: string;
  readonly service: string;
  readonly name: string;
  readonly depth: number;
  readonly count: number;
  readonly errors: number;
  /** Sum of the spans' durations, or of their frames beneath where these, side by side, took longer. */
  readonly totalMs: number;
  readonly selfMs: number;
  /** Left edge and width, as shares of the whole. */
  readonly left: number;
  readonly width: number;
  /** The longest of its spans: where a click leads. */
  readonly spanId: string;
}

interface Draft {
  key: string;
  service: string;
  name: string;
  depth: number;
  count: number;
  errors: number;
  durationMs: number;
  weightMs: number;
  selfMs: number;
  longestMs: number;
  spanId: string;
  children: Map<string, Draft>;
}

/** Frames of a trace, parents first. */
export function flameFrames<Span extends SpanLike>(
  tree: TraceTree<Span>,
  serviceOf: (span: Span) => string,
): FlameFrame[] {
  const top = new Map<string, Draft>();
  const draftOf = new Map<TraceNode<Span>, Draft>();
  const order: Draft[] = [];
  for (const node of tree.nodes) {
    const above = node.parent ? draftOf.get(node.parent) : undefined;
    const level = above ? above.children : top;
    const service = serviceOf(node.span);
    const name = `${service}\t${node.span.name}`;
    let draft = level.get(name);
    if (!draft) {
      draft = {
        key: String(order.length),
        service,
        name: node.span.name,
        depth: node.depth,
        count: 0,
        errors: 0,
        durationMs: 0,
        weightMs: 0,
        selfMs: 0,
        longestMs: -1,
        spanId: node.span.spanId,
        children: new Map(),
      };
      level.set(name, draft);
      order.push(draft);
    }
    draft.count++;
    draft.durationMs += node.span.durationMs;
    draft.selfMs += node.selfMs;
    if (node.span.status === "error") draft.errors++;
    if (node.span.durationMs > draft.longestMs) {
      draft.longestMs = node.span.durationMs;
      draft.spanId = node.span.spanId;
    }
    draftOf.set(node, draft);
  }
  // A parent comes before its children in `order`: backwards, children are complete before their parent is weighed.
  const sum = (level: ReadonlyMap<string, Draft>) =>
    [...level.values()].reduce((total, { weightMs }) => total + weightMs, 0);
  for (let index = order.length - 1; index >= 0; index--) {
    const draft = order[index]!;
    draft.weightMs = Math.max(draft.durationMs, draft.selfMs + sum(draft.children));
  }
  const whole = sum(top);
  const frames: FlameFrame[] = [];
  const place = (level: ReadonlyMap<string, Draft>, left: number): [Draft, number][] => {
    const placed: [Draft, number][] = [];
    let edge = left;
    for (const draft of [...level.values()].sort((a, b) => b.weightMs - a.weightMs)) {
      placed.push([draft, edge]);
      edge += whole > 0 ? draft.weightMs / whole : 0;
    }
    return placed;
  };
  const queue = place(top, 0);
  for (let at = 0; at < queue.length; at++) {
    const [draft, left] = queue[at]!;
    frames.push({
      key: draft.key,
      service: draft.service,
      name: draft.name,
      depth: draft.depth,
      count: draft.count,
      errors: draft.errors,
      totalMs: draft.weightMs,
      selfMs: draft.selfMs,
      left,
      width: whole > 0 ? draft.weightMs / whole : 0,
      spanId: draft.spanId,
    });
    queue.push(...place(draft.children, left));
  }
  return frames;
}
