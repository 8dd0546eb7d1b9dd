// Where a test cluster takes chance from: the system's source, or, for virtual time, a generator whose numbers are the
// same in every run.
import { randomBytes } from 'node:crypto'

export interface Chance {
  /** In [0, 1). */
  random(): number
  /** 32 hexadecimal digits. */
  randomId(): string
}

export const systemChance: Chance = {
  random: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  randomId: () => randomBytes(16).toString('hex'),
}

/** splitmix32: small, and good enough to draw election timeouts and ids that differ. */
export function createSeededChance(seed: number): Chance {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }
  return {
    random: () => next() / 2 ** 32,
    randomId: () => Array.from({ length: 4 }, () => next().toString(16).padStart(8, '0')).join(''),
  }
}
