// What clients of a cluster saw, and what cannot have happened in a lock store that keeps its promises. Instants are those
// of one monotonic clock: clients and checker live in one process.

/** One request that was answered with a grant. */
export interface Grant {
  readonly lock: string
  readonly token: number
  readonly requestId: string
  /** Before the first attempt was sent, and when the first answer with the grant had come. */
  readonly sentAt: number
  readonly answeredAt: number
  /** Before its release was sent, and what that was answered with in the end. */
  readonly releasedAt: number
  readonly release: string
}

/** Sentences about what contradicts S1, S2 or S3; none in a good history. */
export function violationsIn(history: readonly Grant[]): readonly string[] {
  return [...overlaps(history), ...tokensOutOfOrder(history), ...lostGrants(history)]
}

/** S1: from the answer to the release its client was the only one. */
function overlaps(history: readonly Grant[]): string[] {
  const found: string[] = []
  for (const lock of new Set(history.map((grant) => grant.lock))) {
    const inOrder = history.filter((grant) => grant.lock === lock).toSorted((a, b) => a.answeredAt - b.answeredAt)
    for (const [position, grant] of inOrder.entries()) {
      const next = inOrder[position + 1]
      if (next !== undefined && next.answeredAt < grant.releasedAt) {
        found.push(`S1: ${lock} was held with ${grant.token} and ${next.token} at once`)
      }
    }
  }
  return found
}

/** S2: no token twice, and never a smaller one for a request that began after another was granted. */
function tokensOutOfOrder(history: readonly Grant[]): string[] {
  const found: string[] = []
  const requests = new Map<number, string>()
  for (const { token, requestId } of history) {
    if ((requests.get(token) ?? requestId) !== requestId)
      found.push(`S2: ${token} was given to ${requests.get(token)} and ${requestId}`)
    requests.set(token, requestId)
  }
  let [greatest, position] = [0, 0]
  const answered = history.toSorted((a, b) => a.answeredAt - b.answeredAt)
  for (const { sentAt, token } of history.toSorted((a, b) => a.sentAt - b.sentAt)) {
    for (; (answered[position]?.answeredAt ?? Infinity) < sentAt; position++)
      greatest = Math.max(greatest, answered[position]?.token ?? 0)
    if (token <= greatest) found.push(`S2: ${token} was given for a request that began after ${greatest} was`)
  }
  return found
}

/** S3: nobody who was told of a grant, and whose TTL cannot have ended, may be told that it is not his. */
function lostGrants(history: readonly Grant[]): string[] {
  return history
    .filter(({ release }) => release !== 'released')
    .map(({ token, release }) => `S3: ${token} was granted and then ${release}`)
}
