// What disks have promised, by what is sent in their name: votes, acknowledgements, and the terms they have spoken in
// (RAFT.md 2, 10 and 11). A promise is one of a disk, not of a member: a disk that came in place of a lost one knows
// nothing of it, and may promise nothing before it counts (H28).
import { assert } from '../../../src/assert.ts'
import { asIndex, asTerm } from '../../../src/ids.ts'
import type { Incarnation, Index, NodeId, Term } from '../../../src/ids.ts'
import { termAt } from '../../../src/raft/log.ts'
import type { Message, Standing } from '../../../src/raft/message.ts'
import type { DurableDisk } from '../../../src/testing/memory-disk.ts'
import type { Machine } from '../machine.ts'

interface Promised {
  /** The latest term that it has spoken in, whatever became of its process. */
  term: Term
  /** Its newest acknowledgement that counts. */
  ackTerm: Term
  ackIndex: Index
}

/** A message, and as whom its sender speaks. */
export interface Spoken {
  readonly as: Standing | null
  readonly message: Message
}

export class DiskPromises {
  readonly #votes = new Map<string, NodeId>()
  readonly #of = new Map<Incarnation, Promised>()

  /** Nobody promises what is not on its disk, nor gives two votes in a term. */
  sent(from: Machine, to: NodeId, { as, message }: Spoken): void {
    const disk = from.disk.durable()
    const { meta } = disk
    assert(meta !== null, () => `11: ${from.id} speaks without a name`)
    const isItself = as === null || (meta.counted !== null && as.disk === meta.incarnation)
    assert(
      isItself,
      () => `H28: ${from.id} speaks as ${as?.disk}, its disk is ${meta.incarnation}, counted: ${meta.counted}`,
    )
    const isPreVote = message.kind === 'preVote' || message.kind === 'preVoteResponse'
    assert(
      isPreVote || disk.hardState.currentTerm >= message.term,
      () => `11: ${from.id} speaks in a term it has not stored`,
    )
    const promised = this.#promisedBy(meta.incarnation)
    if (!isPreVote && message.term > promised.term) promised.term = message.term
    if (message.kind === 'requestVoteResponse' && message.granted) this.#vote(from, as, message.term, to)
    if (message.kind === 'requestVote') this.#vote(from, as, message.term, from.id)
    if (message.kind === 'appendAccepted') this.#checkAcknowledged(from, message.matchIndex)
    const isNewer =
      message.kind === 'appendAccepted' &&
      as !== null &&
      (message.term > promised.ackTerm || (message.term === promised.ackTerm && message.matchIndex > promised.ackIndex))
    if (isNewer) Object.assign(promised, { ackTerm: message.term, ackIndex: message.matchIndex })
  }

  termSaid(incarnation: Incarnation | null): Term {
    return incarnation === null ? asTerm(0) : this.#promisedBy(incarnation).term
  }

  /** Whether that disk has said, and it was so, that it had the log of `term` up to `index`. */
  hasAcknowledged(incarnation: Incarnation, term: Term, index: Index): boolean {
    const { ackTerm, ackIndex } = this.#promisedBy(incarnation)
    return ackTerm === term && ackIndex >= index
  }

  /** Whether the disk has lost something that it promised. */
  hasForgotten({ meta, hardState, lastIndex }: DurableDisk): boolean {
    if (meta === null) return true
    const { term, ackTerm, ackIndex } = this.#promisedBy(meta.incarnation)
    const { currentTerm, votedFor } = hardState
    const vote = this.#votes.get(`${meta.incarnation} ${currentTerm}`) ?? votedFor
    return currentTerm < term || vote !== votedFor || (currentTerm === ackTerm && lastIndex < ackIndex)
  }

  /** A fault took from the disk what it had said: it cannot know that, its peers must tell it. */
  excuse({ meta, hardState }: DurableDisk): void {
    if (meta === null) return
    const promised = this.#promisedBy(meta.incarnation)
    if (hardState.currentTerm < promised.term) promised.term = hardState.currentTerm
  }

  #checkAcknowledged(from: Machine, index: Index): void {
    const raft = from.node?.replica?.core.raft
    const { start, entryAt } = from.disk.durable()
    const stored = index === start.index ? start.term : (entryAt(index)?.term ?? null)
    assert(
      stored !== null || index < start.index,
      () => `11: ${from.id} acknowledges entry ${index}, which is not on its disk`,
    )
    // A log that begins later, or soon will, has it as what was applied.
    const isInLog = raft !== undefined && stored !== null && index >= raft.log.start.index
    assert(!isInLog || termAt(raft.log, index) === stored, () => `11: ${from.id} acknowledges another entry`)
  }

  #vote(voter: Machine, as: Standing | null, term: Term, candidate: NodeId): void {
    const { meta, hardState } = voter.disk.durable()
    assert(as !== null, () => `H28: ${voter.id} votes in term ${term}, but does not count`)
    const key = `${meta?.incarnation} ${term}`
    const given = this.#votes.get(key) ?? candidate
    assert(given === candidate, () => `10: ${voter.id} votes in term ${term} for ${given} and for ${candidate}`)
    this.#votes.set(key, candidate)
    const isStored =
      hardState.currentTerm > term || (hardState.currentTerm === term && hardState.votedFor === candidate)
    assert(isStored, () => `11: ${voter.id} votes in term ${term} without having stored it`)
  }

  #promisedBy(incarnation: Incarnation): Promised {
    const known = this.#of.get(incarnation) ?? { term: asTerm(0), ackTerm: asTerm(0), ackIndex: asIndex(0) }
    this.#of.set(incarnation, known)
    return known
  }
}
