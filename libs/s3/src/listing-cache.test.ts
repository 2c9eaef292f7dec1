import assert from "node:assert/strict";
import { test } from "node:test";
import { compareKeys, type ListedObject, type ListPage, type ListRequest } from "@ringlight/core";
import { FakeClock } from "@ringlight/testing";
import { ListingCache } from "./listing-cache.ts";
import { listSorted } from "./memory-backend.ts";

const request = (fields: Partial<ListRequest> = {}): ListRequest => ({
  prefix: "",
  delimiter: "",
  startAfter: "",
  maxKeys: 1000,
  ...fields,
});
const describe = (key: string): ListedObject => ({ key, sizeBytes: 1, etag: '"e"', version: "v", modifiedMs: 0 });

/** A store of keys that counts its listings. */
class Keys {
  readonly keys: string[];
  reads = 0;

  constructor(...keys: string[]) {
    this.keys = keys;
  }

  readonly read = async (asked: ListRequest): Promise<ListPage> => {
    this.reads++;
    const sorted = [...this.keys].sort(compareKeys);
    return listSorted(
      sorted.length,
      (at) => sorted[at] ?? "",
      (at) => describe(sorted[at] ?? ""),
      asked,
    );
  };
}

const keysOf = (page: ListPage) => [...page.objects.map(({ key }) => key), ...page.commonPrefixes];

test("a page is read once while it is fresh, and never kept where nothing may be", async () => {
  const clock = new FakeClock();
  const cache = new ListingCache({ clock });
  const store = new Keys("a", "b");
  await cache.list("bkt", request(), 1000, store.read);
  store.keys.push("c");
  assert.deepEqual(keysOf(await cache.list("bkt", request(), 1000, store.read)), ["a", "b"]);
  assert.deepEqual(keysOf(await cache.list("other", request(), 1000, store.read)), ["a", "b", "c"]);
  await clock.advance(1000);
  assert.deepEqual(keysOf(await cache.list("bkt", request(), 1000, store.read)), ["a", "b", "c"]);
  store.keys.push("d");
  assert.deepEqual(keysOf(await cache.list("bkt", request(), 0, store.read)), ["a", "b", "c", "d"]);
});

test("every listing after a write shows it, whatever it asks for", async () => {
  const cache = new ListingCache({ clock: new FakeClock() });
  const store = new Keys();
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return seed % below;
  };
  let seed = 7;
  const parts = ["a", "b", "/", "-", "\uffff", "😀"];
  const word = () => Array.from({ length: 1 + random(4) }, () => parts[random(parts.length)]).join("");
  for (let round = 0; round < 3000; round++) {
    const key = word();
    if (random(2) === 0) {
      if (store.keys.includes(key)) store.keys.splice(store.keys.indexOf(key), 1);
      else store.keys.push(key);
      cache.written("bkt", key);
    }
    const asked = request({
      prefix: random(2) === 0 ? "" : word(),
      delimiter: random(2) === 0 ? "" : "/",
      startAfter: random(3) === 0 ? word() : "",
      maxKeys: 1 + random(5),
    });
    assert.deepEqual(await cache.list("bkt", asked, 1000, store.read), await store.read(asked), JSON.stringify(asked));
  }
});

test("what was being read while a write happened is given, and not kept", async () => {
  const cache = new ListingCache({ clock: new FakeClock() });
  const store = new Keys("a");
  await cache.list("bkt", request(), 1000, async (asked) => {
    const page = await store.read(asked);
    store.keys.push("b");
    cache.written("bkt", "b");
    return page;
  });
  assert.deepEqual(keysOf(await cache.list("bkt", request(), 1000, store.read)), ["a", "b"]);
});

test("memory is bounded, and the page that was longest unused goes first", async () => {
  const cache = new ListingCache({ clock: new FakeClock(), maxBytes: 40_000 });
  const store = new Keys(...Array.from({ length: 50 }, (_, at) => `key-${at}`));
  for (let at = 0; at < 20; at++) {
    await cache.list("bkt", request({ startAfter: `key-${at}`, maxKeys: 20 }), 1000, store.read);
    await cache.list("bkt", request({ startAfter: "key-0", maxKeys: 20 }), 1000, store.read);
    assert.ok(cache.sizeBytes <= 40_000);
  }
  const before = store.reads;
  await cache.list("bkt", request({ startAfter: "key-0", maxKeys: 20 }), 1000, store.read);
  assert.equal(store.reads, before);
  await cache.list("bkt", request({ startAfter: "key-1", maxKeys: 20 }), 1000, store.read);
  assert.equal(store.reads, before + 1);
  cache.forget("bkt");
  assert.equal(cache.sizeBytes, 0);
});
