// Majority arithmetic: the only place where votes, acknowledgements, read rounds and contact are counted.

/** How many of `memberCount` members make a majority. */
export function majority(memberCount: number): number {
  return Math.floor(memberCount / 2) + 1
}

/** The greatest value that a majority of the members has reached; one value per member, in any order. */
export function reachedByMajority(values: readonly number[]): number {
  const needed = majority(values.length)
  let greatest: number | null = null
  // Few members, and asked for at every step: counting is cheaper than sorting a copy.
  for (const value of values) {
    if (greatest !== null && value <= greatest) continue
    let count = 0
    for (const other of values) if (other >= value) count++
    if (count >= needed) greatest = value
  }
  return greatest ?? 0
}
