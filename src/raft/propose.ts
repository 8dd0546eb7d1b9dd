// What the leader adds to its log: proposals and the no-op at the start of its term (§5.3, thesis §6.4).
import { asIndex } from '../ids.ts'
import { stamp } from './cluster-time.ts'
import { persistEntries } from './durability.ts'
import type { Effect } from './effect.ts'
import type { Entry, EntryNote } from './entry.ts'
import { append, entryBytes } from './log.ts'
import type { Leader, RaftState } from './state.ts'

/** How much more the log takes before proposals are refused as `overloaded`, in bytes; below 0 it takes none. */
export function roomForProposals(state: RaftState, exempt: boolean): number {
  if (state.role.kind !== 'leader') return 0
  const { uncommittedBytesMax, uncommittedReserveBytes } = state.options
  return uncommittedBytesMax + (exempt ? uncommittedReserveBytes : 0) - state.role.uncommittedBytes
}

/** What an entry is made of. */
export type Proposal = { readonly payload: Uint8Array; readonly note: EntryNote | null }

/** Appends a proposal as one entry, or says why not. */
export function propose(state: RaftState, proposal: Proposal & { readonly exempt: boolean }, effects: Effect[]): void {
  const { role } = state
  if (role.kind !== 'leader') {
    effects.push({ kind: 'refuseProposal', reason: 'notLeader' })
  } else if (role.transfer !== null) {
    // Otherwise the target, chasing a log that grows, might never be up to date (thesis §3.10).
    effects.push({ kind: 'refuseProposal', reason: 'transferring' })
  } else if (proposal.payload.length > 0 && roomForProposals(state, proposal.exempt) < proposal.payload.length) {
    effects.push({ kind: 'refuseProposal', reason: 'overloaded' })
  } else {
    appendOwn(state, role, proposal, effects)
  }
}

/** Appends an entry of the own term. Followers are sent it with the next tick, without waiting for our own disk. */
export function appendOwn(state: RaftState, leader: Leader, { payload, note }: Proposal, effects: Effect[]): void {
  const entry: Entry = {
    index: asIndex(state.log.lastIndex + 1),
    term: state.currentTerm,
    time: stamp(leader.clock, state.log.lastTime),
    payload,
    ...(note !== null && { note }),
  }
  append(state.log, [entry])
  leader.uncommittedBytes += entryBytes(entry)
  persistEntries(state, effects, { entries: [entry], replaced: false })
}
