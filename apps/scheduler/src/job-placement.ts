/** Where the units of jobs go: the owners that the ring names, of those that are alive. */
import { type ClusterView, type Registry, segmentKey, type WorkerRecord } from "@ringlight/core";
import { buildRing, type Ring } from "@ringlight/ring";

/** Owners that are looked at before all members are. */
const NEAR = 3;

/** Follows the registry's view. */
export class Placement {
  readonly #registry: Registry;
  readonly #listeners = new Set<() => void>();
  readonly #unsubscribe: () => void;
  #ring: Ring;
  #stamp: string;

  constructor(registry: Registry) {
    this.#registry = registry;
    const view = registry.view();
    this.#ring = buildRing(view.members, { epoch: view.epoch });
    this.#stamp = stampOf(view);
    this.#unsubscribe = registry.onChange((next) => this.#update(next));
  }

  /** Changes whenever units of before may not be where they would be placed now. */
  get stamp(): string {
    return this.#stamp;
  }

  get view(): ClusterView {
    return this.#registry.view();
  }

  /** Workers that hold their lease. */
  alive(): WorkerRecord[] {
    return [...this.view.workers.values()];
  }

  worker(id: string): WorkerRecord | undefined {
    return this.view.workers.get(id);
  }

  /** Ids of the first `count` living owners of a segment, those to avoid last; fewer where fewer live. */
  owners(mount: string, key: string, segment: number, count: number, avoid?: (id: string) => boolean): string[] {
    const place = segmentKey(mount, key, segment);
    const { workers } = this.view;
    const living = (most: number) => this.#ring.owners(place, most).filter((id) => workers.has(id));
    let owners = living(Math.max(NEAR, count));
    if (owners.length < count || (avoid !== undefined && owners.every(avoid)))
      owners = living(this.#ring.members.length);
    if (avoid !== undefined) owners = [...owners.filter((id) => !avoid(id)), ...owners.filter(avoid)];
    return owners.slice(0, count);
  }

  /** Tells of every change of the stamp. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#unsubscribe();
  }

  #update(view: ClusterView): void {
    if (view.epoch !== this.#ring.epoch)
      this.#ring = buildRing(view.members, { epoch: view.epoch, previous: this.#ring });
    const stamp = stampOf(view);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    for (const listener of [...this.#listeners]) listener();
  }
}

function stampOf({ epoch, workers }: ClusterView): string {
  const alive = [...workers.values()].map(({ id, startedMs }) => `${id}@${startedMs}`).sort();
  return `${epoch} ${alive.join(" ")}`;
}
