/** One measurement of the page store in a process of its own: `store-measure-main.ts <name> <arguments>`; prints JSON. */
import * as fs from "node:fs";
import { join } from "node:path";
import { openPageStore } from "@ringlight/store";
import {
  createEvictionPolicy,
  formatPageName,
  mix32,
  PageTable,
  seededRandom,
  VersionTable,
} from "@ringlight/store/simulation";
import { LRUCache } from "lru-cache";

const PAGE_BYTES = 1024 * 1024;
const LIMIT_BYTES = 2 ** 44;

function versionIdOf(object: number): string {
  let id = "";
  for (let word = 1; word <= 4; word++)
    id += mix32(object * 4 + word)
      .toString(16)
      .padStart(8, "0");
  return id;
}

function resident(): number {
  globalThis.gc?.();
  return process.memoryUsage().rss;
}

/** Index, versions and policy of so many pages: what they add to the resident set, and how fast a page is found. */
function memory(pages: number, pagesPerObject: number): object {
  // The heap is as large as it will be before the first look: the names that are made below are the bench's own.
  let length = 0;
  for (let object = 0; object < 3_000_000; object++) length += versionIdOf(object).length;
  const before = resident();
  const versions = new VersionTable();
  const table = new PageTable(versions);
  const policy = createEvictionPolicy("wtinylfu", table);
  let longestMs = 0;
  for (let at = 0; at < pages; at += pagesPerObject) {
    const version = versionIdOf(at);
    const start = performance.now();
    for (let index = 0; index < pagesPerObject; index++) {
      policy.onInsert(table.insert(version, index, PAGE_BYTES, 0));
    }
    longestMs = Math.max(longestMs, performance.now() - start);
  }
  const bytesPerPage = (resident() - before) / pages;
  const looked = 1_000_000;
  const names = Array.from({ length: 50_000 }, (_, at) =>
    versionIdOf(Math.floor((mix32(at) / 2 ** 32) * (pages / pagesPerObject)) * pagesPerObject),
  );
  const start = process.cpuUsage();
  let found = 0;
  for (let at = 0; at < looked; at++) {
    if (table.find(names[mix32(at) % names.length] ?? "", at % pagesPerObject) >= 0) found++;
  }
  const lookupsPerSecond = looked / (process.cpuUsage(start).user / 1e6);
  if (found !== looked || length === 0) throw new Error(`${found} of ${looked} pages were found`);
  return { bytesPerPage, lookupsPerSecond, longestMs, pages: policy.size };
}

const KEYS = 3_000_000;
const CAPACITY = 1_000_000;
const OPERATIONS = 3_000_000;

/** Keys of a million requests, a few of them often. */
function requests(): Uint32Array {
  const random = seededRandom(1);
  return Uint32Array.from({ length: OPERATIONS }, () => Math.floor(random() ** 3 * KEYS));
}

/** Million operations a CPU second of the policy alone: hits, and insertions that each evict one. */
function policyRound(trace: Uint32Array): number {
  const slotOf = new Int32Array(KEYS).fill(-1);
  const pageOf = new Uint32Array(CAPACITY);
  const policy = createEvictionPolicy("wtinylfu", { hashOf: (slot) => mix32(pageOf[slot] ?? 0), bytesOf: () => 1 });
  const victims: number[] = [];
  let top = 0;
  const start = process.cpuUsage();
  for (const key of trace) {
    const slot = slotOf[key] ?? -1;
    if (slot >= 0) {
      policy.onHit(slot);
      continue;
    }
    let free = top < CAPACITY ? top++ : -1;
    if (free < 0) {
      if (victims.length === 0) policy.victims(256, 256, victims);
      free = victims.pop() ?? 0;
      slotOf[pageOf[free] ?? 0] = -1;
    }
    pageOf[free] = key;
    slotOf[key] = free;
    policy.onInsert(free);
  }
  return OPERATIONS / process.cpuUsage(start).user;
}

/** The same with index and policy, as the store uses them. */
function indexRound(trace: Uint32Array): number {
  const versions = new VersionTable();
  const table = new PageTable(versions);
  const policy = createEvictionPolicy("wtinylfu", table);
  const names = Array.from({ length: Math.ceil(KEYS / 256) }, (_, object) => versionIdOf(object));
  const victims: number[] = [];
  const start = process.cpuUsage();
  for (const key of trace) {
    const name = names[key >>> 8] ?? "";
    const slot = table.find(name, key & 255);
    if (slot >= 0) {
      policy.onHit(slot);
      continue;
    }
    if (table.size >= CAPACITY) {
      policy.victims(256 * 4096, 256, victims);
      for (const victim of victims.splice(0)) table.remove(victim);
    }
    policy.onInsert(table.insert(name, key & 255, 1, 0));
  }
  return OPERATIONS / process.cpuUsage(start).user;
}

/** The same requests to lru-cache, which is given what the store is given: a version and the number of a page. */
function lruCacheNamesRound(trace: Uint32Array): number {
  const cache = new LRUCache<string, number>({ max: CAPACITY });
  const names = Array.from({ length: Math.ceil(KEYS / 256) }, (_, object) => versionIdOf(object));
  const start = process.cpuUsage();
  for (const key of trace) {
    const name = `${names[key >>> 8]}-${key & 255}`;
    if (cache.get(name) === undefined) cache.set(name, 1);
  }
  return OPERATIONS / process.cpuUsage(start).user;
}

/** The same requests to lru-cache with bare numbers as keys, which suits it best. */
function lruCacheRound(trace: Uint32Array): number {
  const cache = new LRUCache<number, number>({ max: CAPACITY });
  const start = process.cpuUsage();
  for (const key of trace) if (cache.get(key) === undefined) cache.set(key, 1);
  return OPERATIONS / process.cpuUsage(start).user;
}

function policy(rounds: number): object {
  const trace = requests();
  const taken: Record<"policy" | "index" | "lruCache" | "lruCacheNames", number[]> = {
    policy: [],
    index: [],
    lruCache: [],
    lruCacheNames: [],
  };
  for (let round = 0; round <= rounds; round++) {
    const sides = [
      () => policyRound(trace),
      () => indexRound(trace),
      () => lruCacheRound(trace),
      () => lruCacheNamesRound(trace),
    ] as const;
    const figures = [0, 0, 0, 0];
    for (let step = 0; step < sides.length; step++) {
      const side = (step + round) % sides.length;
      globalThis.gc?.();
      figures[side] = sides[side]?.() ?? 0;
    }
    if (round === 0) continue;
    taken.policy.push(figures[0] ?? 0);
    taken.index.push(figures[1] ?? 0);
    taken.lruCache.push(figures[2] ?? 0);
    taken.lruCacheNames.push(figures[3] ?? 0);
  }
  return taken;
}

/** Makes empty files under the names of pages: what a start sees of pages is their names. */
function fill(directory: string, pages: number): object {
  const versions = new VersionTable();
  const paths = Array.from({ length: 256 }, (_, at) => join(directory, "pages", at.toString(16).padStart(2, "0")));
  for (const path of paths) fs.mkdirSync(path, { recursive: true });
  for (let at = 0; at < pages; at++) {
    const version = versionIdOf(at >>> 3);
    const parent = paths[versions.hashOfPage(version, at & 7) >>> 24] ?? "";
    fs.closeSync(fs.openSync(`${parent}/${formatPageName(version, at & 7, PAGE_BYTES)}`, "wx", 0o600));
  }
  return { pages };
}

/** Opens a store, says how long that took, and, to be killed, goes on writing pages. */
async function ready(directory: string, goOn: boolean): Promise<object> {
  const start = performance.now();
  const cpu = process.cpuUsage();
  const store = await openPageStore({ tiers: [{ name: "ssd", directories: [directory], limitBytes: LIMIT_BYTES }] });
  const readyMs = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  const pages = store.stats().reduce((sum, tier) => sum + tier.pages, 0);
  if (goOn) {
    process.stdout.write("writing\n");
    for (let at = 0; ; at++) await store.put(versionIdOf(2 ** 24 + (at >>> 8)), at & 255, Buffer.alloc(4096, at & 255));
  }
  await store.close();
  return { readyMs, cpuMs: (user + system) / 1000, pages };
}

const [name = "", first = "", second = ""] = process.argv.slice(2);
const measurements: Record<string, () => object | Promise<object>> = {
  memory: () => memory(Number(first), Number(second)),
  policy: () => policy(Number(first)),
  fill: () => fill(first, Number(second)),
  ready: () => ready(first, false),
  write: () => ready(first, true),
};
const measure = measurements[name];
if (measure === undefined) throw new Error(`there is no measurement "${name}"`);
process.stdout.write(`${JSON.stringify(await measure())}\n`);
