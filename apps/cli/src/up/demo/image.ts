/** JPEG-like files: the headers and tables of a baseline JFIF image, and a scan of noise. */
import { seededBytes, seededRandom } from "./random.ts";

function segment(marker: number, body: readonly number[]): Buffer {
  const length = body.length + 2;
  return Buffer.from([0xff, marker, length >> 8, length & 0xff, ...body]);
}

const SOI = Buffer.from([0xff, 0xd8]);
const EOI = Buffer.from([0xff, 0xd9]);
/** JFIF 1.1, 72 dots an inch, no thumbnail. */
const APP0 = segment(0xe0, [0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 1, 0, 72, 0, 72, 0, 0]);
/** One quantization table, 8 bits a value. */
const DQT = segment(0xdb, [0, ...Array.from({ length: 64 }, (_, index) => 8 + index)]);
/** One component, all of its coefficients by the tables with number 0. */
const SOS = segment(0xda, [1, 1, 0, 0, 63, 0]);

/** A Huffman table with 2 codes of each length from 2 bits on, as far as its symbols go. */
function huffman(tableClass: number, symbols: readonly number[]): Buffer {
  const counts = new Array<number>(16).fill(0);
  for (let index = 0; index < symbols.length; index++) counts[Math.min(15, 1 + Math.floor(index / 2))]! += 1;
  return segment(0xc4, [tableClass << 4, ...counts, ...symbols]);
}

const DHT_DC = huffman(0, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
const DHT_AC = huffman(1, [0x01, 0x02, 0x03, 0x00, 0x11, 0x04, 0x12, 0x21, 0x05, 0x31, 0x06, 0x13]);

function frame(height: number, width: number): Buffer {
  return segment(0xc0, [8, height >> 8, height & 0xff, width >> 8, width & 0xff, 1, 1, 0x11, 0]);
}

/** An image of exactly `sizeBytes` bytes. The same label and size give the same bytes. */
export function makeImage(label: string, seed: number, sizeBytes: number): Buffer {
  const random = seededRandom(seed);
  const head = Buffer.concat([
    SOI,
    APP0,
    DQT,
    frame(64 + Math.floor(random() * 960), 64 + Math.floor(random() * 960)),
    DHT_DC,
    DHT_AC,
    SOS,
  ]);
  const scan = seededBytes(label, sizeBytes - head.length - EOI.length);
  // A 0xFF within a scan would be a marker.
  for (let at = scan.indexOf(0xff); at !== -1; at = scan.indexOf(0xff, at + 1)) scan[at] = 0xfe;
  return Buffer.concat([head, scan, EOI]);
}
