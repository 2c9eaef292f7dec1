/**
 * Writes protobuf messages field by field into one growing buffer. A nested message is written in place and its length set
 * before it afterwards. Enough of the wire format for OTLP: varints, fixed numbers, strings, bytes, messages.
 */

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;
const START_BYTES = 4096;
/** Numbers beyond are written by their 64 bits. */
const TWO_32 = 2 ** 32;

/** One message being written. */
export class ProtoWriter {
  #buffer = Buffer.allocUnsafe(START_BYTES);
  #at = 0;

  /** The message so far: a view that later writes may overwrite. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }

  /** An int64, uint64, bool or enum. Negative numbers take ten bytes, as protobuf has it. */
  int(field: number, value: number): void {
    this.#tag(field, VARINT);
    this.#reserve(10);
    if (value >= 0) {
      this.#varint(value);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 127n; rest >>= 7n) this.#buffer[this.#at++] = Number(rest & 127n) | 128;
    this.#buffer[this.#at++] = Number(rest);
  }

  /** A fixed64 of a whole number. */
  fixed64(field: number, value: number): void {
    this.#tag(field, FIXED64);
    this.#reserve(8);
    this.#fixed64(value);
  }

  /** A fixed64 of nanoseconds since the Unix epoch. @param ms milliseconds since the Unix epoch; fractions count */
  time(field: number, ms: number): void {
    this.#tag(field, FIXED64);
    this.#reserve(8);
    const whole = Math.floor(ms);
    const nanos = BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6));
    this.#at = this.#buffer.writeBigUInt64LE(nanos, this.#at);
  }

  fixed32(field: number, value: number): void {
    this.#tag(field, FIXED32);
    this.#reserve(4);
    this.#at = this.#buffer.writeUInt32LE(value, this.#at);
  }

  double(field: number, value: number): void {
    this.#tag(field, FIXED64);
    this.#reserve(8);
    this.#at = this.#buffer.writeDoubleLE(value, this.#at);
  }

  string(field: number, text: string): void {
    this.#tag(field, DELIMITED);
    const length = Buffer.byteLength(text);
    this.#reserve(length + 10);
    this.#varint(length);
    this.#at += this.#buffer.write(text, this.#at);
  }

  /** Bytes that are given as hex digits: the ids of traces and spans. */
  hex(field: number, digits: string): void {
    this.#tag(field, DELIMITED);
    const length = digits.length / 2;
    this.#reserve(length + 10);
    this.#varint(length);
    this.#at += this.#buffer.write(digits, this.#at, "hex");
  }

  /** Packed fixed64 numbers. */
  packedFixed64(field: number, values: ArrayLike<number>): void {
    this.#tag(field, DELIMITED);
    this.#reserve(values.length * 8 + 10);
    this.#varint(values.length * 8);
    for (let index = 0; index < values.length; index++) this.#fixed64(values[index] ?? 0);
  }

  /** Packed doubles. */
  packedDouble(field: number, values: ArrayLike<number>): void {
    this.#tag(field, DELIMITED);
    this.#reserve(values.length * 8 + 10);
    this.#varint(values.length * 8);
    for (let index = 0; index < values.length; index++) {
      this.#at = this.#buffer.writeDoubleLE(values[index] ?? 0, this.#at);
    }
  }

  /** A nested message that `write` fills. */
  message(field: number, write: () => void): void {
    this.#tag(field, DELIMITED);
    this.#reserve(1);
    const lengthAt = this.#at++;
    write();
    const length = this.#at - lengthAt - 1;
    let more = 0;
    for (let rest = length; rest > 127; rest = Math.floor(rest / 128)) more++;
    if (more > 0) {
      this.#reserve(more);
      this.#buffer.copyWithin(lengthAt + 1 + more, lengthAt + 1, this.#at);
    }
    const end = this.#at + more;
    this.#at = lengthAt;
    this.#varint(length);
    this.#at = end;
  }

  #tag(field: number, type: number): void {
    this.#reserve(5);
    this.#varint(field * 8 + type);
  }

  #varint(value: number): void {
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) this.#buffer[this.#at++] = (rest % 128) | 128;
    this.#buffer[this.#at++] = rest;
  }

  #fixed64(value: number): void {
    this.#at = this.#buffer.writeUInt32LE(value % TWO_32, this.#at);
    this.#at = this.#buffer.writeUInt32LE(Math.floor(value / TWO_32), this.#at);
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(grown, 0, 0, this.#at);
    this.#buffer = grown;
  }
}
