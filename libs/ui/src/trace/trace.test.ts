import assert from "node:assert/strict";
import test from "node:test";
import { criticalPath, criticalTimes } from "./critical-path.ts";
import { flameFrames } from "./flame.ts";
import { spanStatistics } from "./span-statistics.ts";
import { diffTraces } from "./trace-diff.ts";
import { buildTraceTree, type SpanLike, visibleNodes } from "./trace-tree.ts";

/** A span from a to b. */
const span = (spanId: string, parentSpanId: string | undefined, from: number, to: number, name = spanId): SpanLike => ({
  spanId,
  ...(parentSpanId === undefined ? {} : { parentSpanId }),
  name,
  startMs: from,
  durationMs: to - from,
  status: "unset",
});
const path = (spans: readonly SpanLike[]) =>
  criticalPath(buildTraceTree(spans)).map(({ spanId, fromMs, toMs }) => `${spanId} ${fromMs}-${toMs}`);
const service = () => "worker";

test("the tree is depth first by start, whatever the order of arrival", () => {
  const tree = buildTraceTree([
    span("c", "a", 5, 9),
    span("d", "b", 2, 3),
    span("a", undefined, 0, 10),
    span("b", "a", 1, 4),
  ]);
  assert.deepEqual(
    tree.nodes.map((node) => `${node.span.spanId}${node.depth}`),
    ["a0", "b1", "d2", "c1"],
  );
  assert.equal(tree.nodes[0]!.descendants, 3);
  assert.equal(tree.nodes[0]!.selfMs, 3);
  assert.deepEqual(
    visibleNodes(tree, new Set(["b"])).map((node) => node.span.spanId),
    ["a", "b", "c"],
  );
});

test("a missing parent makes a root, a ring of parents is cut, a span that comes twice counts once", () => {
  const tree = buildTraceTree([
    span("a", "gone", 0, 5),
    span("x", "y", 2, 3),
    span("y", "x", 1, 4),
    span("a", "gone", 0, 6),
    span("self", "self", 7, 8),
  ]);
  assert.equal(tree.nodes.length, 4);
  assert.deepEqual(tree.roots.map((node) => node.span.spanId).sort(), ["a", "self", "y"]);
  assert.equal(tree.byId.get("a")!.span.durationMs, 6);
  assert.equal(tree.byId.get("x")!.parent, tree.byId.get("y"));
  assert.equal(buildTraceTree([]).nodes.length, 0);
});

test("the critical path goes by the child that ended last, and by those that had ended when it began", () => {
  assert.deepEqual(
    path([
      span("root", undefined, 0, 100),
      span("first", "root", 10, 30),
      span("beside", "root", 20, 70),
      span("last", "root", 40, 90),
    ]),
    ["root 0-10", "first 10-30", "root 30-40", "last 40-90", "root 90-100"],
  );
});

test("the critical path descends, and takes of a child only what lies within its parent", () => {
  assert.deepEqual(
    path([
      span("root", undefined, 0, 50),
      span("late", "root", 20, 80),
      span("deep", "late", 30, 60),
      span("after", "root", 60, 70),
    ]),
    ["root 0-20", "late 20-30", "deep 30-50"],
  );
});

test("of random traces the parts of the critical path follow each other and add up to the root", () => {
  let seed = 7;
  const random = () => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed / 2147483648;
  };
  for (let round = 0; round < 200; round++) {
    const spans = [span("s0", undefined, 0, 1000)];
    for (let index = 1; index < 60; index++) {
      const from = Math.floor(random() * 1100) - 50;
      spans.push(span(`s${index}`, `s${Math.floor(random() * index)}`, from, from + Math.floor(random() * 400)));
    }
    const sections = criticalPath(buildTraceTree(spans));
    assert.equal(sections[0]!.fromMs, 0);
    assert.equal(sections.at(-1)!.toMs, 1000);
    for (let index = 1; index < sections.length; index++) {
      assert.equal(sections[index]!.fromMs, sections[index - 1]!.toMs, `round ${round}`);
    }
  }
});

test("a chain of 50,000 spans neither overflows the stack nor takes long", () => {
  const spans = Array.from({ length: 50_000 }, (_, index) =>
    span(`s${index}`, index === 0 ? undefined : `s${index - 1}`, index, 100_000 - index),
  );
  const began = performance.now();
  const tree = buildTraceTree(spans);
  const sections = criticalPath(tree);
  assert.equal(tree.nodes.at(-1)!.depth, 49_999);
  assert.equal(
    [...criticalTimes(sections).values()].reduce((sum, ms) => sum + ms, 0),
    100_000,
  );
  flameFrames(buildTraceTree(spans.slice(0, 2000)), service);
  assert.ok(performance.now() - began < 5000);
});

test("statistics gather spans by name, with the time of their own and on the path", () => {
  const tree = buildTraceTree([
    span("root", undefined, 0, 100, "GET"),
    span("p1", "root", 0, 40, "page"),
    span("p2", "root", 40, 60, "page"),
  ]);
  const [first, second] = spanStatistics(tree, service, criticalTimes(criticalPath(tree)));
  assert.deepEqual(first, {
    service: "worker",
    name: "page",
    count: 2,
    errors: 0,
    totalMs: 60,
    selfMs: 60,
    minMs: 20,
    maxMs: 40,
    meanMs: 30,
    p50Ms: 20,
    p95Ms: 40,
    criticalMs: 60,
  });
  assert.equal(second!.selfMs, 40);
});

test("flames merge what has the same names above it, and no frame is narrower than what stands on it", () => {
  const frames = flameFrames(
    buildTraceTree([
      span("root", undefined, 0, 100, "GET"),
      span("a", "root", 0, 80, "page"),
      span("b", "root", 0, 80, "page"),
      span("c", "b", 10, 30, "ufs"),
    ]),
    service,
  );
  assert.deepEqual(
    frames.map(({ name, depth, count, totalMs, left, width }) => ({ name, depth, count, totalMs, left, width })),
    [
      { name: "GET", depth: 0, count: 1, totalMs: 180, left: 0, width: 1 },
      { name: "page", depth: 1, count: 2, totalMs: 160, left: 0, width: 160 / 180 },
      { name: "ufs", depth: 2, count: 1, totalMs: 20, left: 0, width: 20 / 180 },
    ],
  );
});

test("two traces are compared place by place", () => {
  const fast = buildTraceTree([
    span("1", undefined, 0, 10, "GET"),
    span("2", "1", 2, 4, "mem"),
    span("3", "1", 5, 6, "send"),
  ]);
  const slow = buildTraceTree([
    span("4", undefined, 0, 90, "GET"),
    span("5", "4", 2, 40, "ufs"),
    span("6", "4", 40, 80, "ufs"),
    span("7", "4", 85, 86, "send"),
  ]);
  assert.deepEqual(
    diffTraces(fast, slow, service, service).map(({ name, depth, kind, a, b, deltaMs }) => [
      name,
      depth,
      kind,
      a.count,
      b.count,
      deltaMs,
    ]),
    [
      ["GET", 0, "both", 1, 1, 80],
      ["mem", 1, "only-a", 1, 0, -2],
      ["send", 1, "both", 1, 1, 0],
      ["ufs", 1, "only-b", 0, 2, 78],
    ],
  );
});
