// Cores and tables with a bug that others shipped (RAFT 7), around the real ones, to see that an exploration finds it.
import { asIndex, asNodeId, asRun, asToken } from '../../src/ids.ts'
import { apply } from '../../src/lockfsm/apply.ts'
import { commitUpTo } from '../../src/raft/commit.ts'
import { persistEntries } from '../../src/raft/durability.ts'
import type { Effect } from '../../src/raft/effect.ts'
import { replaceFrom, termAt } from '../../src/raft/log.ts'
import { reachedByMajority } from '../../src/raft/quorum.ts'
import { step } from '../../src/raft/step.ts'
import type { Table } from './lock-model.ts'
import type { Core } from './raft-world.ts'

/** Mutation 2 in spirit: a vote is forgotten when another candidate of the term asks. */
export const votesTwice: Core = (state, input) => {
  const isAsked = input.kind === 'message' && input.message.kind === 'requestVote'
  if (isAsked && input.message.term === state.currentTerm && state.role.kind === 'follower') state.votedFor = null
  return step(state, input)
}

/** Mutation 3: what a majority has is committed, whatever its term (Figure 8). */
export const countsOldTerms: Core = (state, input) => {
  const effects: Effect[] = [...step(state, input)]
  if (state.role.kind !== 'leader') return effects
  const durable = [...state.role.progress.values()].map(({ countedIndex }) => countedIndex)
  const reached = asIndex(reachedByMajority([state.durability.durableIndex, ...durable]))
  if (reached >= state.role.termStart) return effects
  commitUpTo(state, reached, effects)
  return effects
}

/** Mutation 5: an append that the log has already takes away what is behind it. */
export const truncatesOnOverlap: Core = (state, input) => {
  if (input.kind !== 'message' || input.message.kind !== 'appendEntries') return step(state, input)
  const { entries, term, prevLogIndex, prevLogTerm } = input.message
  const effects: Effect[] = [...step(state, input)]
  const last = entries.at(-1)
  const isHeld = term === state.currentTerm && termAt(state.log, prevLogIndex) === prevLogTerm
  if (last === undefined || !isHeld || last.index >= state.log.lastIndex) return effects
  replaceFrom(state.log, entries)
  persistEntries(state, effects, { entries, replaced: true })
  return effects
}

/** Mutations 1 and 13: nothing waits for the disk. */
export const answersBeforeSync: Core = (state, input) =>
  step(state, input).map((effect) => (effect.kind === 'send' ? { ...effect, after: null } : effect))

/** Mutation 13, of entries: an acknowledgement says what was received, not what is stored. */
export const acknowledgesReceived: Core = (state, input) =>
  step(state, input).map((effect) =>
    effect.kind === 'send' && effect.message.kind === 'appendAccepted'
      ? { ...effect, message: { ...effect.message, matchIndex: state.log.lastIndex } }
      : effect,
  )

/** Mutation 12: tokens are counted anew when nothing is held. */
export const countsTokensAnew: Table = (state, entry) => {
  if (state.held === 0) state.nextToken = asToken(1)
  return apply(state, entry)
}

/** A session ends as soon as time passes while it holds something, whatever was promised. */
export const endsEarly: Table = (state, entry) => {
  const isIdle = entry.commands.length === 0
  const outcomes = apply(state, entry)
  const sessions = [...state.locks.values()].flatMap(({ holder }) => holder?.session ?? [])
  const [session] = isIdle ? sessions : []
  if (session === undefined) return outcomes
  const origin = { node: asNodeId('n9'), run: asRun(1), number: state.nextToken }
  const command = { kind: 'closeSession', session: session.id } as const
  return [...outcomes, ...apply(state, { time: state.time, commands: [{ origin, command }] })]
}
