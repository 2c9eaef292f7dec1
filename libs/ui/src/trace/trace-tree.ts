/**
 * A trace as a tree. Spans come in any order, without their parents, twice, or as each other's parents; the tree is made of
 * what is there: a span whose parent is missing is a root, and of a ring of parents the earliest span is. All walks are
 * loops, since a chain may be as deep as a trace is long.
 */

/** What the tree needs of a span; the trace store's record has it. */
export interface SpanLike {
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  /** Milliseconds since the Unix epoch. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly status: string;
}

/** One span in its place. */
export interface TraceNode<Span extends SpanLike = SpanLike> {
  readonly span: Span;
  readonly parent: TraceNode<Span> | undefined;
  /** By start; of the same start the longer one first. */
  readonly children: readonly TraceNode<Span>[];
  readonly depth: number;
  /** Place in the depth-first order. */
  readonly index: number;
  /** Spans beneath it. */
  readonly descendants: number;
  /** Its time without what its children cover, milliseconds. */
  readonly selfMs: number;
}

/** The whole trace. */
export interface TraceTree<Span extends SpanLike = SpanLike> {
  /** Depth first, parents before their children. */
  readonly nodes: readonly TraceNode<Span>[];
  readonly roots: readonly TraceNode<Span>[];
  readonly byId: ReadonlyMap<string, TraceNode<Span>>;
  readonly startMs: number;
  readonly endMs: number;
  /** Roots whose parent was named and is not there. */
  readonly orphans: number;
}

interface Draft<Span extends SpanLike> {
  span: Span;
  parent: Draft<Span> | undefined;
  children: Draft<Span>[];
  depth: number;
  index: number;
  descendants: number;
  selfMs: number;
}

const byStart = <Span extends SpanLike>(a: Draft<Span>, b: Draft<Span>) =>
  a.span.startMs - b.span.startMs || b.span.durationMs - a.span.durationMs || (a.span.spanId < b.span.spanId ? -1 : 1);

/** The tree of these spans. Of two with the same id the later in the list counts. */
export function buildTraceTree<Span extends SpanLike>(spans: readonly Span[]): TraceTree<Span> {
  const drafts = new Map<string, Draft<Span>>();
  for (const span of spans) {
    drafts.set(span.spanId, { span, parent: undefined, children: [], depth: 0, index: 0, descendants: 0, selfMs: 0 });
  }
  const roots: Draft<Span>[] = [];
  let orphans = 0;
  for (const draft of drafts.values()) {
    const { parentSpanId, spanId } = draft.span;
    const parent = parentSpanId === undefined || parentSpanId === spanId ? undefined : drafts.get(parentSpanId);
    if (parent) {
      draft.parent = parent;
      parent.children.push(draft);
    } else {
      if (parentSpanId !== undefined && parentSpanId !== "") orphans++;
      roots.push(draft);
    }
  }
  roots.sort(byStart);
  const nodes: Draft<Span>[] = [];
  const walk = (root: Draft<Span>) => {
    const stack = [root];
    for (let node = stack.pop(); node; node = stack.pop()) {
      node.depth = node.parent ? node.parent.depth + 1 : 0;
      node.index = nodes.length;
      nodes.push(node);
      node.children.sort(byStart);
      for (let child = node.children.length - 1; child >= 0; child--) stack.push(node.children[child]!);
    }
  };
  for (const root of roots) walk(root);
  if (nodes.length < drafts.size) {
    // Rings of parents: each is cut at its earliest span.
    const seen = new Set(nodes);
    for (const draft of [...drafts.values()].sort(byStart)) {
      if (seen.has(draft)) continue;
      const { parent } = draft;
      if (parent) parent.children.splice(parent.children.indexOf(draft), 1);
      draft.parent = undefined;
      orphans++;
      roots.push(draft);
      const from = nodes.length;
      walk(draft);
      for (let index = from; index < nodes.length; index++) seen.add(nodes[index]!);
    }
  }
  let startMs = Number.POSITIVE_INFINITY;
  let endMs = Number.NEGATIVE_INFINITY;
  for (let index = nodes.length - 1; index >= 0; index--) {
    const node = nodes[index]!;
    startMs = Math.min(startMs, node.span.startMs);
    endMs = Math.max(endMs, node.span.startMs + node.span.durationMs);
    node.selfMs = selfTime(node);
    if (node.parent) node.parent.descendants += node.descendants + 1;
  }
  return {
    nodes,
    roots,
    byId: drafts,
    startMs: nodes.length > 0 ? startMs : 0,
    endMs: nodes.length > 0 ? endMs : 0,
    orphans,
  };
}

/** The span's time that no child covers; children are sorted by start. */
function selfTime<Span extends SpanLike>({ span, children }: Draft<Span>): number {
  const end = span.startMs + span.durationMs;
  let covered = 0;
  let reached = span.startMs;
  for (const { span: child } of children) {
    const from = Math.max(reached, child.startMs);
    const to = Math.min(end, child.startMs + child.durationMs);
    if (to > from) {
      covered += to - from;
      reached = to;
    }
  }
  return Math.max(0, span.durationMs - covered);
}

/** Rows of a waterfall: the nodes of which no ancestor is folded. */
export function visibleNodes<Span extends SpanLike>(
  tree: TraceTree<Span>,
  folded: ReadonlySet<string>,
): readonly TraceNode<Span>[] {
  if (folded.size === 0) return tree.nodes;
  const rows: TraceNode<Span>[] = [];
  for (let index = 0; index < tree.nodes.length; ) {
    const node = tree.nodes[index]!;
    rows.push(node);
    index += folded.has(node.span.spanId) ? node.descendants + 1 : 1;
  }
  return rows;
}
