/** `ringlight ring`: the ring's members and shares, who owns a path, and what a change of the members would move. */
import { parsePath, RinglightError, segmentKey } from "@ringlight/core";
import { type Ring, type RingChange, whatIf } from "@ringlight/ring";
import { withClient } from "../connection.ts";
import { percent, table } from "../format.ts";
import { type CommonOptions, print } from "./output.ts";

/** Its options. */
export interface RingOptions extends CommonOptions {
  readonly add?: string;
  readonly weight?: string;
  readonly remove?: readonly string[];
  readonly reweigh?: readonly string[];
}

function weightOf(text: string, option: string): number {
  const weight = Number(text);
  if (!(weight > 0)) throw new RinglightError("RL_BAD_REQUEST", `${option} ${text}: a weight is a number above 0`);
  return weight;
}

/** The change that the options ask about; undefined for none. @throws RL_BAD_REQUEST */
export function changeOf(current: Ring, options: RingOptions): RingChange | undefined {
  const { add, remove = [], reweigh = [] } = options;
  if (add === undefined && remove.length === 0 && reweigh.length === 0) return undefined;
  const count = Number(add ?? 0);
  if (!Number.isInteger(count) || count < 0 || count > 10_000) {
    throw new RinglightError("RL_BAD_REQUEST", `--add ${add}: a number of workers is wanted`);
  }
  const taken = new Set(current.members.map(({ id }) => id));
  const weight = weightOf(options.weight ?? "1", "--weight");
  const ids: string[] = [];
  for (let number = 1; ids.length < count; number++) if (!taken.has(`new-${number}`)) ids.push(`new-${number}`);
  return {
    add: ids.map((id) => ({ id, weight })),
    remove,
    reweigh: reweigh.map((text) => {
      const at = text.lastIndexOf("=");
      return { id: text.slice(0, Math.max(0, at)), weight: weightOf(text.slice(at + 1), "--reweigh") };
    }),
  };
}

function printChange(current: Ring, change: RingChange, options: RingOptions): void {
  const { ring: next, diff } = whatIf(current, change);
  const members = diff.members.map(({ id, gainedArcs, lostArcs, shareBefore, shareAfter }) => ({
    id,
    gainedArcs,
    lostArcs,
    shareBefore,
    shareAfter,
  }));
  const { arcs, movedArcs, movedShare, needlessArcs, moves } = diff;
  print(options.json, { epoch: current.epoch, arcs, movedArcs, movedShare, needlessArcs, members, moves }, () =>
    [
      `${percent(movedShare, 2)} of the ring would move: ${movedArcs} of ${arcs} arcs, ${needlessArcs} of them only to keep the balance.`,
      `${next.members.length} members then, ${current.members.length} now. Nothing was changed.`,
      "",
      table(
        [
          { title: "MEMBER" },
          { title: "SHARE NOW", right: true },
          { title: "SHARE THEN", right: true },
          { title: "ARCS GAINED", right: true },
          { title: "ARCS LOST", right: true },
        ],
        members.map((member) => [
          member.id,
          percent(member.shareBefore, 1),
          percent(member.shareAfter, 1),
          String(member.gainedArcs),
          String(member.lostArcs),
        ]),
      ),
    ].join("\n"),
  );
}

/** Runs the command. */
export async function ring(path: string | undefined, options: RingOptions): Promise<void> {
  await withClient(options, async (client) => {
    const cluster = await client.cluster();
    const current = await client.ring();
    const change = changeOf(current, options);
    if (change) {
      printChange(current, change, options);
      return;
    }
    const up = new Set(cluster.workers.map(({ id }) => id));
    const weights = current.members.reduce((sum, { weight }) => sum + weight, 0);
    const members = current.members.map(({ id, weight }) => ({
      id,
      weight,
      arcs: current.arcCount(id),
      share: current.share(id),
      fairShare: weight / weights,
      up: up.has(id),
    }));
    const shape = { epoch: current.epoch, arcs: current.arcs, replicas: current.params.replicas, members };
    if (path !== undefined) {
      const { mount, key } = parsePath(path);
      const name = segmentKey(mount, key, 0);
      const placed = { path, arc: current.arcOf(name), owners: current.owners(name) };
      print(options.json, { ...shape, ...placed }, () =>
        [
          `${path} is on arc ${placed.arc} of ${shape.arcs} (epoch ${shape.epoch}).`,
          ...placed.owners.map(
            (id, index) => `  ${index + 1}. ${id}${up.has(id) ? "" : " (down)"}${index === 0 ? ", the owner" : ""}`,
          ),
        ].join("\n"),
      );
      return;
    }
    print(options.json, shape, () =>
      [
        `Epoch ${shape.epoch}: ${members.length} members on ${shape.arcs} arcs.`,
        "",
        table(
          [
            { title: "MEMBER" },
            { title: "STATE" },
            { title: "WEIGHT", right: true },
            { title: "ARCS", right: true },
            { title: "SHARE", right: true },
            { title: "OF FAIR", right: true },
          ],
          members.map((member) => [
            member.id,
            member.up ? "up" : "down",
            String(member.weight),
            String(member.arcs),
            percent(member.share, 1),
            (member.share / member.fairShare).toFixed(3),
          ]),
        ),
      ].join("\n"),
    );
  });
}
