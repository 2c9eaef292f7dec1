/** `ringlight ring`: the ring's members and shares, and who owns a path. */
import { parsePath, segmentKey } from "@ringlight/core";
import { withClient } from "../connection.ts";
import { percent, table } from "../format.ts";
import { type CommonOptions, print } from "./output.ts";

/** Runs the command. */
export async function ring(path: string | undefined, options: CommonOptions): Promise<void> {
  await withClient(options, async (client) => {
    const cluster = await client.cluster();
    const current = await client.ring();
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
