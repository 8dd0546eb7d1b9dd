// MessagePack as this house uses it: positional arrays of numbers, strings, bytes and nulls, nothing else. No shared
// structures (they decode silently under wrong names when two ends disagree), no extensions. A flipped bit often still
// decodes, so every value that is taken out is checked by a Reader: this is where foreign bytes become types. The import
// is the one without the native extractor, whose strings are slices of a text as long as all the bytes: whoever keeps one
// keeps that, too.
import { Packr } from 'msgpackr/pack'

const packr = new Packr({ useRecords: false, moreTypes: false, int64AsType: 'number' })

/** Thrown by a Reader and by nobody else; caught where frames and payloads are decoded. */
export class FormatError extends Error {
  override readonly name = 'FormatError'
}

/** Encodes into a buffer of its own, which nobody else will write to. */
export function pack(value: readonly unknown[]): Uint8Array {
  // msgpackr hands out a slice of a buffer that it goes on filling behind it: the bytes are ours, the buffer is not.
  return packr.pack(value)
}

/** Decodes exactly one value; FormatError when the bytes are not MessagePack or not an array. */
export function unpack(bytes: Uint8Array): Reader {
  let value: unknown
  try {
    value = packr.unpack(bytes)
  } catch (cause) {
    throw new FormatError('not MessagePack', { cause })
  }
  return readerOf(value)
}

/** Decodes arrays that follow each other without separators. */
export function unpackSequence(bytes: Uint8Array, take: (reader: Reader) => void): void {
  let problem: FormatError | null = null
  try {
    packr.unpackMultiple(bytes, (value: unknown) => {
      take(readerOf(value))
    })
  } catch (cause) {
    problem = cause instanceof FormatError ? cause : new FormatError('not MessagePack', { cause })
  }
  if (problem !== null) throw problem
}

function readerOf(value: unknown): Reader {
  if (!Array.isArray(value)) throw new FormatError('not an array')
  return new Reader(value)
}

/** Takes the fields of a decoded array one after the other, each with its type; a wrong one is a FormatError. */
export class Reader {
  readonly #fields: readonly unknown[]
  #next = 0

  constructor(fields: readonly unknown[]) {
    this.#fields = fields
  }

  /** A whole number from 0 to 2^53 - 1. */
  count(): number {
    const value = this.#fields[this.#next++]
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new FormatError('not a count')
    return value
  }

  countOrNull(): number | null {
    return this.#isNull() ? null : this.count()
  }

  text(lengthMax: number): string {
    const value = this.#fields[this.#next++]
    if (typeof value !== 'string' || value.length > lengthMax) throw new FormatError('not a text')
    return value
  }

  textOrNull(lengthMax: number): string | null {
    return this.#isNull() ? null : this.text(lengthMax)
  }

  /** What `take` takes, unless a null is there. */
  orNull<T>(take: (reader: Reader) => T): T | null {
    return this.#isNull() ? null : take(this)
  }

  flag(): boolean {
    const value = this.#fields[this.#next++]
    if (typeof value !== 'boolean') throw new FormatError('not a flag')
    return value
  }

  /** A view into the decoded bytes: copy what is kept. */
  bytes(): Uint8Array {
    const value = this.#fields[this.#next++]
    if (!(value instanceof Uint8Array)) throw new FormatError('not bytes')
    return value
  }

  /** The elements of a nested array, each an array itself. */
  rows(countMax: number): Reader[] {
    const list = this.#list(countMax)
    return list.length === 0 ? [] : list.map(readerOf)
  }

  /** A nested array with fields of its own. */
  row(): Reader {
    return readerOf(this.#fields[this.#next++])
  }

  bytesList(countMax: number): Uint8Array[] {
    const reader = new Reader(this.#list(countMax))
    return Array.from({ length: reader.remaining }, () => reader.bytes())
  }

  counts(countMax: number): number[] {
    const reader = new Reader(this.#list(countMax))
    return Array.from({ length: reader.remaining }, () => reader.count())
  }

  /** Fields that are left. */
  get remaining(): number {
    return this.#fields.length - this.#next
  }

  end(): void {
    if (this.remaining !== 0) throw new FormatError('too few or too many fields')
  }

  #list(countMax: number): readonly unknown[] {
    const value = this.#fields[this.#next++]
    if (!Array.isArray(value) || value.length > countMax) throw new FormatError('not a list')
    return value
  }

  #isNull(): boolean {
    if (this.#fields[this.#next] !== null) return false
    this.#next++
    return true
  }
}
