/** A process for the crash tests: puts pages for ever into the directories of its arguments, and says when it has begun. */
import { contractPage } from "./contract.ts";
import { openPageStore } from "./open-page-store.ts";
import { versionId } from "./version-id.ts";

const [mem = "", ssd = "", seed = "0"] = process.argv.slice(2);
const store = await openPageStore({
  tiers: [
    { name: "mem", directories: [mem], limitBytes: 2_000_000 },
    { name: "ssd", directories: [ssd], limitBytes: 4_000_000 },
  ],
});
for (let at = 0; ; at++) {
  const version = versionId("crash", `${seed}-${at}`, "1");
  await Promise.all([0, 1, 2].map((index) => store.put(version, index, contractPage(version, index, 90_000 + index))));
  if (at === 20) process.stdout.write("begun\n");
}
