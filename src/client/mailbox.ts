// A box in shared memory for what the thread of the user says to the thread that renews. A message port wakes the other
// thread for every message, and on a busy machine that is most of what a short lock costs its client; what lies here is
// read when the other one looks, and it need not be woken before a lease is due. What was put is there at once, whatever
// becomes of the event loop of who put it. One thread puts, one takes.

const headerBytes = 16
const lengthBytes = 4

export interface Mailbox {
  readonly memory: SharedArrayBuffer
  /** False: it is full, or too small; then it stays as it is. */
  put(text: string): boolean
  /** The next text in the order of putting; undefined when there is none. */
  take(): string | undefined
  isEmpty(): boolean
  /** To be said by who takes: from now on it wants to be woken. False: something has come meanwhile. */
  fallAsleep(): boolean
  /** Whether who takes is asleep; who puts has to wake it then, and is told so once. */
  isToBeWoken(): boolean
}

/** A new box of so many bytes, or the other side of one. */
export function openMailbox(memoryOrBytes: SharedArrayBuffer | number): Mailbox {
  const memory = typeof memoryOrBytes === 'number' ? new SharedArrayBuffer(headerBytes + memoryOrBytes) : memoryOrBytes
  const [puts, takes, asleep] = [0, 1, 2]
  /** Two positions among the bytes, equal when nothing is there, and the flag. */
  const header = new Int32Array(memory, 0, headerBytes / 4)
  const bytes = Buffer.from(memory, headerBytes)
  const size = bytes.length
  const usedBytes = (): number => (Atomics.load(header, puts) - Atomics.load(header, takes) + size) % size

  const write = (at: number, text: Buffer): number => {
    const first = text.copy(bytes, at)
    if (first < text.length) text.copy(bytes, 0, first)
    return (at + text.length) % size
  }
  const read = (at: number, length: number): Buffer => {
    const end = at + length
    if (end <= size) return bytes.subarray(at, end)
    return Buffer.concat([bytes.subarray(at), bytes.subarray(0, end - size)])
  }

  return {
    memory,
    put: (text) => {
      const content = Buffer.from(text)
      // One byte stays free: with it full and empty would look alike.
      if (lengthBytes + content.length >= size - usedBytes()) return false
      const length = Buffer.alloc(lengthBytes)
      length.writeUInt32LE(content.length)
      const end = write(write(Atomics.load(header, puts), length), content)
      // Behind its bytes: who sees the position sees them.
      Atomics.store(header, puts, end)
      return true
    },
    take: () => {
      if (usedBytes() === 0) return undefined
      const at = Atomics.load(header, takes)
      const length = read(at, lengthBytes).readUInt32LE()
      const text = read((at + lengthBytes) % size, length).toString()
      Atomics.store(header, takes, (at + lengthBytes + length) % size)
      return text
    },
    isEmpty: () => usedBytes() === 0,
    fallAsleep: () => {
      Atomics.store(header, asleep, 1)
      // What was put before it could be seen that we sleep wakes nobody.
      return usedBytes() === 0 || Atomics.exchange(header, asleep, 0) === 0
    },
    isToBeWoken: () => Atomics.exchange(header, asleep, 0) === 1,
  }
}
