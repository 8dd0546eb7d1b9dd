// Safe integers as eight big-endian bytes, so that keys sort as their numbers do. Two 32-bit halves: a BigInt per number
// would cost more than the rest of the record.

const half = 2 ** 32

export function writeUint64(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32BE(Math.floor(value / half), offset)
  bytes.writeUInt32BE(value % half, offset + 4)
}

/** NaN when the number is not a safe integer: no reader of ours could have written it. */
export function readUint64(bytes: Buffer, offset: number): number {
  const value = bytes.readUInt32BE(offset) * half + bytes.readUInt32BE(offset + 4)
  return Number.isSafeInteger(value) ? value : Number.NaN
}
