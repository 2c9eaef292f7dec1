/** Log files of the demo: one JSON object a line, as a web service would write them. */
import { pick, seededRandom } from "./random.ts";

const SERVICES = ["checkout", "search", "catalog", "session", "images"];
const METHODS = ["GET", "GET", "GET", "POST", "PUT"];
const ROUTES = ["/cart", "/items", "/items/similar", "/login", "/search", "/thumbnails", "/orders", "/health"];
const START_MS = Date.UTC(2025, 5, 1);

/** At least `sizeBytes` bytes of log lines. The same seed and size give the same text. */
export function makeLog(seed: number, sizeBytes: number): string {
  const random = seededRandom(seed);
  const lines: string[] = [];
  let length = 0;
  let now = START_MS + seed * 3_600_000;
  while (length < sizeBytes) {
    now += Math.floor(random() * 40);
    const status = random() < 0.97 ? 200 : 503;
    const line = `{"time":${now},"service":"${pick(random, SERVICES)}","method":"${pick(random, METHODS)}","route":"${pick(random, ROUTES)}","status":${status},"ms":${Math.floor(random() * 900)},"user":${Math.floor(random() * 1e6)},"trace":"${Math.floor(
      random() * 2 ** 48,
    )
      .toString(16)
      .padStart(12, "0")}"}\n`;
    lines.push(line);
    length += line.length;
  }
  return lines.join("");
}
