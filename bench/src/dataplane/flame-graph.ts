/** A flame graph as one SVG file that needs nothing else: names on hover, a click zooms in, a click on the root zooms out. */
import type { Frame } from "./cpu-profile.ts";

const WIDTH = 1400;
const ROW = 18;
const HEAD = 40;
/** Frames narrower than this share of the whole are left out. */
const LEAST_SHARE = 0.0008;
const LETTER = 6.6;

interface Box {
  readonly frame: Frame;
  readonly depth: number;
  /** Left edge and width, as shares of the whole. */
  readonly from: number;
  readonly share: number;
}

function boxesOf(root: Frame): Box[] {
  const boxes: Box[] = [];
  const place = (frame: Frame, depth: number, from: number) => {
    const share = frame.total / root.total;
    if (share < LEAST_SHARE) return;
    boxes.push({ frame, depth, from, share });
    let at = from;
    for (const child of frame.children) {
      place(child, depth + 1, at);
      at += child.total / root.total;
    }
  };
  if (root.total > 0) place(root, 0, 0);
  return boxes;
}

/** Draws the tree. Our own code is warm, Node's is blue, V8's and the kernel's is grey. */
export function flameGraph(root: Frame, title: string): string {
  const boxes = boxesOf(root);
  const height = HEAD + (boxes.reduce((deepest, { depth }) => Math.max(deepest, depth), 0) + 1) * ROW + 10;
  const drawn = boxes.map(({ frame, depth, from, share }) => {
    const width = share * WIDTH;
    const said = `${frame.name}${frame.where === "" ? "" : ` (${frame.where})`}: ${(share * 100).toFixed(1)} %, ${(frame.total / 1000).toFixed(0)} ms, self ${(frame.self / 1000).toFixed(0)} ms`;
    const label = frame.name.slice(0, Math.max(0, Math.floor(width / LETTER) - 1));
    return (
      `<g data-from="${from}" data-share="${share}" data-depth="${depth}"><title>${escaped(said)}</title>` +
      `<rect x="${(from * WIDTH).toFixed(2)}" y="${HEAD + depth * ROW}" width="${Math.max(0.3, width - 0.5).toFixed(2)}" height="${ROW - 1}" fill="${colour(frame)}"/>` +
      `<text x="${(from * WIDTH + 3).toFixed(2)}" y="${HEAD + depth * ROW + 13}" data-name="${escaped(frame.name)}">${escaped(label)}</text></g>`
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="monospace" font-size="11">
<rect width="100%" height="100%" fill="#fdfdfb"/>
<text x="8" y="22" font-size="15">${escaped(title)}</text>
${drawn.join("\n")}
<script><![CDATA[
const all = [...document.querySelectorAll("g")];
for (const group of all) group.addEventListener("click", () => {
  const from = Number(group.dataset.from), share = Number(group.dataset.share);
  for (const other of all) {
    const left = (Number(other.dataset.from) - from) / share * ${WIDTH}, width = Number(other.dataset.share) / share * ${WIDTH};
    const hidden = left + width <= 0 || left >= ${WIDTH};
    other.style.display = hidden ? "none" : "";
    const x = Math.max(0, left), w = Math.min(${WIDTH}, left + width) - x;
    const rect = other.querySelector("rect"), text = other.querySelector("text");
    rect.setAttribute("x", x); rect.setAttribute("width", Math.max(0.3, w - 0.5));
    text.setAttribute("x", x + 3);
    text.textContent = text.dataset.name.slice(0, Math.max(0, Math.floor(w / ${LETTER}) - 1));
  }
});
]]></script>
</svg>
`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

function colour({ name, where }: Frame): string {
  // A steady colour for each function, so that two graphs can be laid side by side.
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) % 997;
  const light = 62 + (hash % 18);
  if (where.startsWith("node:")) return `hsl(208 45% ${light}%)`;
  if (where === "" || name.startsWith("(")) return `hsl(0 0% ${light + 8}%)`;
  return where.startsWith("node_modules") ? `hsl(150 30% ${light}%)` : `hsl(${18 + (hash % 26)} 80% ${light}%)`;
}
