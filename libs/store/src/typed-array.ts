/**
 * Growth of the typed arrays that the index and the policies are made of.
 *
 * A large one lies in a memory of WebAssembly, which grows where it is: nothing is copied, no two copies are there at once, and
 * what is not written to yet takes none. As plain arrays, four times as long with each growth, ten million pages took 4 bytes a
 * page more: the allocator cleared what it used again, needed or not.
 */

/** What grows. */
type GrowingArray =
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

/** Shorter arrays are plain ones, twice as long with each growth. */
const LEAST_BYTES = 256 * 1024;
/** Unit of WebAssembly's memories, and the most of these units that one may have. */
const UNIT_BYTES = 65_536;
const MOST_UNITS = 65_536;

/** A memory of WebAssembly. When it grows, the buffer that it had before is detached. */
interface Memory {
  readonly buffer: ArrayBuffer;
  grow(units: number): number;
}

declare const WebAssembly: { readonly Memory: new (size: { initial: number; maximum: number }) => Memory };

/** The memories behind buffers, as long as these are in use. */
const memories = new WeakMap<ArrayBuffer, Memory>();

/** An array with the elements of this one and room for at least `least`; this one must not be used any more. */
export function grown<T extends GrowingArray>(array: T, least: number): T {
  const bytes = least * array.BYTES_PER_ELEMENT;
  const wanted = Math.max(64 * array.BYTES_PER_ELEMENT, bytes, array.byteLength * (bytes < LEAST_BYTES ? 2 : 1.125));
  const make = array.constructor as new (from: number | ArrayBuffer) => T;
  const memory = wanted >= LEAST_BYTES ? grownMemory(memories.get(array.buffer), wanted) : undefined;
  const longer = new make(memory?.buffer ?? Math.ceil(wanted / array.BYTES_PER_ELEMENT));
  // What grew where it was has its elements, and has left the old array empty.
  if (array.length > 0) longer.set(array);
  if (memory !== undefined) memories.set(memory.buffer, memory);
  return longer;
}

/** Undefined where so much address space is not to be had. */
function grownMemory(known: Memory | undefined, bytes: number): Memory | undefined {
  try {
    const memory = known ?? new WebAssembly.Memory({ initial: 0, maximum: MOST_UNITS });
    memory.grow(Math.ceil(bytes / UNIT_BYTES) - memory.buffer.byteLength / UNIT_BYTES);
    return memory;
  } catch {
    return undefined;
  }
}

/** Gives the memory of a plain array back now, not when the collector comes by. */
export function discard(array: GrowingArray): void {
  array.buffer.transfer(0);
}
