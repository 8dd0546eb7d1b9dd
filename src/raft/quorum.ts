// Majority arithmetic: the only place where votes, acknowledgements, read rounds and contact are counted.

/** How many of `memberCount` members make a majority. */
export function majority(memberCount: number): number {
  return Math.floor(memberCount / 2) + 1
}

/** The greatest value that a majority of the members has reached; one value per member, in any order. */
export function reachedByMajority(values: readonly number[]): number {
  const descending = values.toSorted((a, b) => b - a)
  return descending[majority(values.length) - 1] ?? 0
}
