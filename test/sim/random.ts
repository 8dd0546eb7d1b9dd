// The one source of chance in a simulated world. Streams are forked by name, so that one more draw in one part of the
// world does not change what the others draw: a shrunk or changed scenario stays close to the one it came from.

export interface Random {
  /** A number in [0, 1). */
  next(): number
  between(min: number, max: number): number
  /** A whole number from `min` to `max`, both included. */
  whole(min: number, max: number): number
  chance(probability: number): boolean
  pick<Item>(items: readonly Item[]): Item
  /** Mostly short, sometimes long: mean `mean`. */
  exponential(mean: number): number
  fork(name: string): Random
}

export function createRandom(seed: number | string): Random {
  let [a, b, c, d] = spread(String(seed))
  /** sfc32, Chris Doty-Humphrey's small fast counting generator. */
  const next = (): number => {
    const t = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return (t >>> 0) / 2 ** 32
  }
  for (let warmUp = 0; warmUp < 12; warmUp++) next()
  const random: Random = {
    next,
    between: (min, max) => min + next() * (max - min),
    whole: (min, max) => min + Math.floor(next() * (max - min + 1)),
    chance: (probability) => next() < probability,
    pick: (items) => {
      const item = items[Math.floor(next() * items.length)]
      if (item === undefined) throw new Error('nothing to pick from')
      return item
    },
    exponential: (mean) => -mean * Math.log(1 - next()),
    fork: (name) => createRandom(`${seed}/${name}`),
  }
  return random
}

/** Four words that depend on every character of `text` (FNV-1a with four bases). */
function spread(text: string): [number, number, number, number] {
  const words = [0x811c9dc5, 0x01000193, 0x9e3779b9, 0x85ebca6b].map((base) => {
    let hash = base
    for (let position = 0; position < text.length; position++) {
      hash = Math.imul(hash ^ text.charCodeAt(position), 0x01000193)
    }
    return hash | 0
  })
  return [words[0] ?? 0, words[1] ?? 0, words[2] ?? 0, words[3] ?? 0]
}
