/**
 * Two traces laid over each other. Spans have other ids and other times in each, so they are matched by what they are: the
 * service and name of the span and of all above it. Each place holds all spans of either trace that stand there, so that
 * a request that asked its store three times in place of once shows as 1 → 3, and not as two spans that nobody can match.
 */
import type { SpanLike, TraceNode, TraceTree } from "./trace-tree.ts";

/** What stands at one place in one of the traces. */
export interface DiffSide {
  readonly count: number;
  readonly totalMs: number;
  readonly selfMs: number;
  readonly errors: number;
  /** The longest of the spans. */
  readonly spanId: string | undefined;
}

/** One place of the common tree, depth first. */
export interface DiffNode {
  /** Unlike every other place's. */
  readonly key: string;
  readonly service: string;
  readonly name: string;
  readonly depth: number;
  readonly a: DiffSide;
  readonly b: DiffSide;
  readonly kind: "only-a" | "only-b" | "both";
  /** Time of b less that of a, milliseconds. */
  readonly deltaMs: number;
}

interface Side {
  count: number;
  totalMs: number;
  selfMs: number;
  errors: number;
  longestMs: number;
  spanId: string | undefined;
}

interface Draft {
  key: string;
  service: string;
  name: string;
  depth: number;
  a: Side;
  b: Side;
  children: Map<string, Draft>;
}

const emptySide = (): Side => ({ count: 0, totalMs: 0, selfMs: 0, errors: 0, longestMs: -1, spanId: undefined });

function lay<Span extends SpanLike>(
  tree: TraceTree<Span>,
  serviceOf: (span: Span) => string,
  which: "a" | "b",
  top: Map<string, Draft>,
): void {
  const draftOf = new Map<TraceNode<Span>, Draft>();
  for (const node of tree.nodes) {
    const above = node.parent ? draftOf.get(node.parent) : undefined;
    const level = above ? above.children : top;
    const service = serviceOf(node.span);
    const name = `${service}\t${node.span.name}`;
    let draft = level.get(name);
    if (!draft) {
      draft = {
        key: `${which}${node.index}`,
        service,
        name: node.span.name,
        depth: node.depth,
        a: emptySide(),
        b: emptySide(),
        children: new Map(),
      };
      level.set(name, draft);
    }
    const side = draft[which];
    side.count++;
    side.totalMs += node.span.durationMs;
    side.selfMs += node.selfMs;
    if (node.span.status === "error") side.errors++;
    if (node.span.durationMs > side.longestMs) {
      side.longestMs = node.span.durationMs;
      side.spanId = node.span.spanId;
    }
    draftOf.set(node, draft);
  }
}

/** The common tree of two traces, in the order of the first; what only the second has follows its siblings. */
export function diffTraces<A extends SpanLike, B extends SpanLike>(
  a: TraceTree<A>,
  b: TraceTree<B>,
  serviceOfA: (span: A) => string,
  serviceOfB: (span: B) => string,
): DiffNode[] {
  const top = new Map<string, Draft>();
  lay(a, serviceOfA, "a", top);
  lay(b, serviceOfB, "b", top);
  const rows: DiffNode[] = [];
  const stack = [...top.values()].reverse();
  for (let draft = stack.pop(); draft; draft = stack.pop()) {
    const { longestMs: _a, ...sideA } = draft.a;
    const { longestMs: _b, ...sideB } = draft.b;
    rows.push({
      key: draft.key,
      service: draft.service,
      name: draft.name,
      depth: draft.depth,
      a: sideA,
      b: sideB,
      kind: sideA.count === 0 ? "only-b" : sideB.count === 0 ? "only-a" : "both",
      deltaMs: sideB.totalMs - sideA.totalMs,
    });
    stack.push(...[...draft.children.values()].reverse());
  }
  return rows;
}
