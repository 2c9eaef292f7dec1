/**
 * The critical path of a trace: the spans, and the parts of them, that its duration is made of. Had any of these parts been
 * shorter, the trace would have been.
 *
 * It is walked backwards, as in Zhang et al., "CRISP: Critical Path Analysis of Large-Scale Microservice Architectures"
 * (USENIX ATC 2022). A span was waiting, at its end, for the child that ended last; between that child's end and its own
 * it worked itself. From the child's start the question is asked anew, of the children that had ended by then: a child
 * that still ran at that moment ran beside the path. Children are taken as far as they lie within their parent, since a
 * parent does not wait for what goes on after it. The parts follow each other without a gap, so that they add up to the
 * root's duration; this is what the tests hold them to.
 */
import type { SpanLike, TraceNode, TraceTree } from "./trace-tree.ts";

/** A part of a span that lies on the path. */
export interface CriticalSection {
  readonly spanId: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** The path of the longest root: its parts in order of time. Parts without length are left out. */
export function criticalPath<Span extends SpanLike>(tree: TraceTree<Span>): CriticalSection[] {
  let root: TraceNode<Span> | undefined;
  for (const candidate of tree.roots) {
    if (!root || candidate.span.durationMs > root.span.durationMs) root = candidate;
  }
  if (!root) return [];
  const sections: CriticalSection[] = [];
  const emit = (node: TraceNode<Span>, fromMs: number, toMs: number) => {
    if (toMs > fromMs) sections.push({ spanId: node.span.spanId, fromMs, toMs });
  };
  interface Frame {
    readonly node: TraceNode<Span>;
    readonly startMs: number;
    /** How far back the path has come within this span. */
    cursorMs: number;
    /** Its children within it, by their end. */
    readonly children: { node: TraceNode<Span>; startMs: number; endMs: number }[];
  }
  const open = (node: TraceNode<Span>, startMs: number, endMs: number): Frame => ({
    node,
    startMs,
    cursorMs: endMs,
    children: node.children
      .map((child) => ({
        node: child,
        startMs: Math.max(startMs, child.span.startMs),
        endMs: Math.min(endMs, child.span.startMs + child.span.durationMs),
      }))
      .filter((child) => child.endMs > child.startMs)
      .sort((a, b) => a.endMs - b.endMs || a.startMs - b.startMs),
  });
  const frames = [open(root, root.span.startMs, root.span.startMs + root.span.durationMs)];
  for (let frame = frames.at(-1); frame; frame = frames.at(-1)) {
    let last = frame.children.pop();
    while (last && last.endMs > frame.cursorMs) last = frame.children.pop();
    if (!last) {
      emit(frame.node, frame.startMs, frame.cursorMs);
      frames.pop();
      continue;
    }
    emit(frame.node, last.endMs, frame.cursorMs);
    frame.cursorMs = last.startMs;
    frames.push(open(last.node, last.startMs, last.endMs));
  }
  return sections.reverse();
}

/** Time on the path by span, milliseconds. */
export function criticalTimes(sections: readonly CriticalSection[]): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const { spanId, fromMs, toMs } of sections) times.set(spanId, (times.get(spanId) ?? 0) + toMs - fromMs);
  return times;
}
