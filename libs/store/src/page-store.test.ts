import { pageStoreContract } from "./contract.ts";
import { EVICTION_POLICY_NAMES } from "./eviction-policy.ts";
import { openPageStore } from "./open-page-store.ts";
import { diskDirectory, memoryDirectory } from "./scratch.ts";

const PAGE_BYTES = 8000;

pageStoreContract("one tier on disk", async () => {
  const directories = [diskDirectory()];
  return {
    pageBytes: PAGE_BYTES,
    open: () => openPageStore({ tiers: [{ name: "ssd", directories, limitBytes: 64 * 12_288 }] }),
    dispose: async () => undefined,
  };
});

for (const evictionPolicy of EVICTION_POLICY_NAMES.filter((name) => name !== "freeze")) {
  pageStoreContract(`mem over ssd on two directories, ${evictionPolicy}`, async () => {
    const mem = memoryDirectory();
    const ssd = [diskDirectory(), diskDirectory()];
    return {
      pageBytes: PAGE_BYTES,
      open: () =>
        openPageStore({
          tiers: [
            { name: "mem", directories: [mem], limitBytes: 16 * 12_288 },
            { name: "ssd", directories: ssd, limitBytes: 64 * 12_288 },
          ],
          evictionPolicy,
          openFileLimit: 4,
          verifySampleRate: 0.25,
        }),
      dispose: async () => undefined,
    };
  });
}
