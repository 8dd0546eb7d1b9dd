// Heartbeat rounds: numbered broadcasts. An answer to round r proves that its sender followed us at some moment after r
// *began*, however late the answer arrives. Check-quorum and linearizable reads both rest on that and on nothing else;
// an answer that lay in a socket while we were stalled therefore counts for the moment it was asked, not for now (B54,
// B67).

export interface Rounds {
  /** Number of the newest round, from 1 in each term. */
  current: number
  /** When each of the newest rounds began; the last is the current one. */
  readonly startedAt: number[]
}

export function createRounds(): Rounds {
  return { current: 0, startedAt: [] }
}

/** Begins a round at `now` and forgets those that began before `now - keepMs`. */
export function beginRound(rounds: Rounds, now: number, keepMs: number): void {
  rounds.current++
  rounds.startedAt.push(now)
  let old = 0
  while ((rounds.startedAt[old] ?? now) < now - keepMs) old++
  // Dropping one by one would cost the length of the list each time.
  if (old > 64 || old === rounds.startedAt.length - 1) rounds.startedAt.splice(0, old)
}

/** When `round` began; -Infinity when it is forgotten or never was. */
export function roundStartedAt(rounds: Rounds, round: number): number {
  const position = rounds.startedAt.length - 1 - (rounds.current - round)
  return (position >= 0 ? rounds.startedAt[position] : undefined) ?? -Infinity
}
