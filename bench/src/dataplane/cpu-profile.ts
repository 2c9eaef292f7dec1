/** V8's CPU profiles, folded: self times by function, and the tree that a flame graph draws. */

/** What V8 writes to a .cpuprofile, as far as it is used. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  /** Start and end, microseconds of the machine's monotonic clock. */
  readonly startTime: number;
  readonly samples: readonly number[];
  /** Microseconds between samples; the first since the start. */
  readonly timeDeltas: readonly number[];
}

/** A function in its place in the tree. */
export interface Frame {
  readonly name: string;
  /** Where it stands: file and line, "" for V8's own. */
  readonly where: string;
  /** Time in it and in what it called, microseconds. */
  total: number;
  /** Time in it alone. */
  self: number;
  readonly children: Frame[];
}

/** A function wherever it was called. */
export interface HotFunction {
  readonly name: string;
  readonly where: string;
  readonly selfMicros: number;
  /** Of all time that was not idle, 0 to 1. */
  readonly share: number;
}

const IDLE = "(idle)";

/** An interval, microseconds of the machine's monotonic clock. */
export interface Interval {
  readonly from: number;
  readonly to: number;
}

/**
 * The tree of a profile, without idle time, the greatest first. Calls of one function by another are one frame. With an
 * interval only its samples count: what came before and after, such as the start of the process, is left out.
 */
export function foldProfile(profile: CpuProfile, interval?: Interval): Frame {
  const self = new Map<number, number>();
  let at = profile.startTime;
  for (const [index, id] of profile.samples.entries()) {
    const delta = Math.max(0, profile.timeDeltas[index] ?? 0);
    at += delta;
    if (interval === undefined || (at >= interval.from && at <= interval.to)) self.set(id, (self.get(id) ?? 0) + delta);
  }
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const [first] = profile.nodes;
  const root: Frame = { name: "all", where: "", total: 0, self: 0, children: [] };
  const visit = (id: number, parent: Frame) => {
    const node = nodes.get(id);
    if (node === undefined || node.callFrame.functionName === IDLE) return;
    const name = node.callFrame.functionName === "" ? "(anonymous)" : node.callFrame.functionName;
    const where = placeOf(node.callFrame);
    let frame = parent.children.find((child) => child.name === name && child.where === where);
    if (frame === undefined) {
      frame = { name, where, total: 0, self: 0, children: [] };
      parent.children.push(frame);
    }
    frame.self += self.get(id) ?? 0;
    for (const child of node.children ?? []) visit(child, frame);
  };
  for (const child of first?.children ?? []) visit(child, root);
  sum(root);
  return root;
}

function sum(frame: Frame): number {
  frame.total = frame.self;
  for (const child of frame.children) frame.total += sum(child);
  frame.children.sort((a, b) => b.total - a.total);
  return frame.total;
}

/** "libs/s3/src/handler.ts:71", "node:net:12" or "". */
function placeOf({ url, lineNumber }: CpuProfile["nodes"][number]["callFrame"]): string {
  if (url === "") return "";
  const path = /(?:^|\/)((?:apps|libs|bench|node_modules)\/.*)$/.exec(url)?.[1] ?? url;
  return `${path}:${lineNumber + 1}`;
}

/** Functions by the time in them alone, the hottest first. */
export function hottest(root: Frame, count: number): HotFunction[] {
  return ranked(root, count, ({ name, where }) => ({ name, where }));
}

/** Files by the time in their functions alone, the hottest first; V8's and the kernel's own by what they do. */
export function hottestFiles(root: Frame, count: number): HotFunction[] {
  return ranked(root, count, ({ name, where }) => ({
    name: where === "" ? name : where.replace(/:\d+$/, ""),
    where: "",
  }));
}

function ranked(
  root: Frame,
  count: number,
  nameOf: (frame: Frame) => { readonly name: string; readonly where: string },
): HotFunction[] {
  const functions = new Map<string, { name: string; where: string; selfMicros: number }>();
  const visit = (frame: Frame) => {
    const { name, where } = nameOf(frame);
    const key = `${name} ${where}`;
    const known = functions.get(key) ?? { name, where, selfMicros: 0 };
    known.selfMicros += frame.self;
    functions.set(key, known);
    for (const child of frame.children) visit(child);
  };
  visit(root);
  return [...functions.values()]
    .filter(({ selfMicros }) => selfMicros > 0)
    .sort((a, b) => b.selfMicros - a.selfMicros)
    .slice(0, count)
    .map((entry) => ({ ...entry, share: entry.selfMicros / root.total }));
}
