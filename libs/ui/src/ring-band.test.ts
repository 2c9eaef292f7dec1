import assert from "node:assert/strict";
import { test } from "node:test";
import { arcAt, arcPosition, bandGeometry, countArcs, donutSlices, paintBand, slicePath } from "./ring-band.ts";

test("2^16 arcs make 1,024 columns of 64 cells", () => {
  const geometry = bandGeometry(2 ** 16, 600, 0.7, 1);
  assert.equal(geometry.columns, 1024);
  assert.equal(geometry.rows, 64);
});

test("the middle of every arc's cell finds that arc again", () => {
  for (const arcs of [2 ** 4, 2 ** 10, 2 ** 16]) {
    const geometry = bandGeometry(arcs, 800, 0.6, 0.95);
    for (let arc = 0; arc < arcs; arc++) {
      const { x, y } = arcPosition(geometry, arc);
      assert.equal(arcAt(geometry, x, y), arc);
    }
  }
});

test("arc 0 lies at the top, just clockwise of it, and points off the band have no arc", () => {
  const geometry = bandGeometry(2 ** 16, 400, 0.5, 1);
  const { x, y } = arcPosition(geometry, 0);
  assert.ok(x > 200 && x < 202);
  assert.ok(y < 200);
  assert.equal(arcAt(geometry, 200, 200), undefined);
  assert.equal(arcAt(geometry, 0, 0), undefined);
});

test("a painted band shows each member with the share of pixels that it owns of the arcs", () => {
  const arcs = 2 ** 16;
  const owners = Uint8Array.from({ length: arcs }, (_, arc) => (((arc * 2654435761) >>> 0) % 4 === 0 ? 1 : 0));
  const geometry = bandGeometry(arcs, 300, 0.6, 1);
  const pixels = new Uint8ClampedArray(300 * 300 * 4);
  const plain = { hatched: false, faded: false };
  paintBand(
    pixels,
    geometry,
    owners,
    [
      { colour: [255, 0, 0], ...plain },
      { colour: [0, 255, 0], ...plain },
    ],
    [0, 0, 0],
  );
  let red = 0;
  let green = 0;
  for (let offset = 0; offset < pixels.length; offset += 4) {
    if (pixels[offset + 3] === 0) continue;
    if (pixels[offset] === 255) red++;
    if (pixels[offset + 1] === 255) green++;
  }
  const [, second = 0] = countArcs(owners, 2);
  assert.ok(Math.abs(green / (red + green) - second / arcs) < 0.02);
});

test("a faded member is nearly the background and a member that is down is striped", () => {
  const geometry = bandGeometry(16, 60, 0.5, 1);
  const paint = (hatched: boolean, faded: boolean) => {
    const pixels = new Uint8ClampedArray(60 * 60 * 4);
    paintBand(pixels, geometry, new Uint8Array(16), [{ colour: [200, 0, 0], hatched, faded }], [0, 0, 0]);
    return new Set(Array.from({ length: 3600 }, (_, i) => pixels[i * 4]!).filter((red) => red > 0));
  };
  assert.deepEqual([...paint(false, false)], [200]);
  assert.deepEqual([...paint(false, true)], [20]);
  assert.equal(paint(true, false).size, 2);
});

test("donut slices are sorted by share and fill the circle", () => {
  const slices = donutSlices([1, 3, 0, 2]);
  assert.deepEqual(
    slices.map((slice) => slice.index),
    [1, 3, 0],
  );
  assert.ok(Math.abs(slices.at(-1)!.end - 2 * Math.PI) < 1e-9);
  assert.deepEqual(donutSlices([]), []);
});

test("a slice of the whole circle is drawn as two closed circles", () => {
  assert.equal(slicePath(100, 50, 80, 0, 2 * Math.PI).match(/M/g)?.length, 2);
  assert.equal(slicePath(100, 50, 80, 0, 1).match(/M/g)?.length, 1);
});
