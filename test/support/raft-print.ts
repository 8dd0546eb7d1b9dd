// How the world of the Raft core looks in a script: one short line for a message, a write, a change of role, a member.
import { unreachable } from '../../src/assert.ts'
import type { Effect } from '../../src/raft/effect.ts'
import type { Entry } from '../../src/raft/entry.ts'
import type { Message } from '../../src/raft/message.ts'
import { isCounted } from '../../src/raft/members.ts'
import type { Role } from '../../src/raft/state.ts'
import { payloadText } from './raft-log-image.ts'
import type { Member } from './raft-world.ts'

/** `3/2:x` is entry 3 of term 2 with payload `x`; many in a row are shown by their ends. */
export function printEntries(entries: readonly Entry[]): string {
  const first = entries[0]
  const last = entries.at(-1)
  if (first === undefined || last === undefined) return 'nothing'
  if (entries.length > 6) return `${first.index}/${first.term}..${last.index}/${last.term}`
  return entries
    .map(
      (entry) =>
        `${entry.index}/${entry.term}${entry.payload.length > 0 ? ':' : ''}${payloadText(entry)}${printNote(entry)}`,
    )
    .join(' ')
}

function printNote({ note }: Entry): string {
  if (note === undefined) return ''
  return note.kind === 'checkpoint' ? ':checkpoint' : `:${note.member} is ${note.incarnation}`
}

export function printMessage(message: Message): string {
  const head = `${message.kind} term ${message.term}`
  switch (message.kind) {
    case 'preVote':
      return `${head} poll ${message.poll} last ${message.lastLogIndex}/${message.lastLogTerm}`
    case 'preVoteResponse':
      return `${head} poll ${message.poll} ${message.granted ? 'granted' : 'refused'}`
    case 'requestVote':
      return `${head} last ${message.lastLogIndex}/${message.lastLogTerm}${message.transfer ? ' transfer' : ''}`
    case 'requestVoteResponse':
      return `${head} ${message.granted ? 'granted' : 'refused'}`
    case 'appendEntries': {
      const { prevLogIndex, prevLogTerm, entries, leaderCommit, round } = message
      const carried = entries.length > 0 ? ` + ${printEntries(entries)}` : ''
      return `${head} after ${prevLogIndex}/${prevLogTerm}${carried} commit ${leaderCommit} round ${round}`
    }
    case 'appendAccepted':
      return `${head} match ${message.matchIndex} round ${message.round}`
    case 'appendRejected':
      return `${head} at ${message.rejectedIndex} hint ${message.hintIndex}/${message.hintTerm} round ${message.round}`
    case 'timeoutNow':
      return `${head} last ${message.lastLogIndex}`
    case 'readIndex':
      return `${head} read ${message.id}`
    case 'readIndexResponse':
      return `${head} read ${message.id} ${message.index === null ? 'refused' : `at ${message.index}`}`
    default:
      return unreachable(message)
  }
}

/** What belongs to the trace `disk`, `applies`, or is always shown; null for what is shown elsewhere. */
export function printEffect(effect: Effect): { text: string; trace: 'disk' | 'applies' | null } | null {
  switch (effect.kind) {
    case 'persist': {
      const hardState =
        effect.hardState === null
          ? ''
          : ` term ${effect.hardState.currentTerm} vote ${effect.hardState.votedFor ?? 'none'}`
      const dropped = effect.truncateFrom === null ? '' : ` drop from ${effect.truncateFrom}`
      const entries = effect.entries.length === 0 ? '' : ` entries ${printEntries(effect.entries)}`
      const trimmed = effect.trimTo === null ? '' : ` trim to ${effect.trimTo}`
      return { text: `asks for write ${effect.io}:${hardState}${dropped}${entries}${trimmed}`, trace: 'disk' }
    }
    case 'loadEntries':
      return { text: `asks for entries ${effect.from}..${effect.to}`, trace: 'disk' }
    case 'apply':
      return { text: `applies ${printEntries(effect.entries)}`, trace: 'applies' }
    case 'readReady':
      return { text: `may answer read ${effect.id} at ${effect.index}`, trace: null }
    case 'refuseProposal':
      return { text: `refuses a proposal: ${effect.reason}`, trace: null }
    case 'refuseRead':
      return { text: `refuses read ${effect.id}`, trace: null }
    case 'refuseTransfer':
      return { text: `gives no leadership away: ${effect.reason}`, trace: null }
    case 'roleChanged':
      return { text: printRole(effect.role, effect.term, effect.leader), trace: null }
    case 'sendSnapshot':
      return { text: `sends ${effect.to} a snapshot`, trace: null }
    case 'installSnapshot': {
      const { io, snapshot, keepsTail } = effect
      const tail = keepsTail ? ' and keeps what is behind it' : ''
      return { text: `installs a snapshot of ${snapshot.index}/${snapshot.term}${tail}, write ${io}`, trace: null }
    }
    case 'ignoreSnapshot':
      return { text: `ignores a snapshot of ${effect.snapshot.index}/${effect.snapshot.term}`, trace: null }
    case 'storeCounted':
      return { text: `stores that ${effect.incarnation} counts by entry ${effect.by}`, trace: null }
    case 'refuseReplacement':
      return { text: `does not replace ${effect.member}: ${effect.reason}`, trace: null }
    case 'send':
      return null
    default:
      return unreachable(effect)
  }
}

function printRole(role: Role['kind'], term: number, leader: string | null): string {
  switch (role) {
    case 'follower':
      return leader === null ? `has no leader in term ${term}` : `follows ${leader} in term ${term}`
    case 'preCandidate':
      return `polls in term ${term}`
    case 'candidate':
      return `campaigns in term ${term}`
    case 'leader':
      return `leads term ${term}`
    default:
      return unreachable(role)
  }
}

/** Terms of a log, runs shortened: `1x3 4 6x2`. */
export function printLog(entries: readonly Entry[]): string {
  const runs: { term: number; count: number }[] = []
  for (const { term } of entries) {
    const run = runs.at(-1)
    if (run?.term === term) run.count++
    else runs.push({ term, count: 1 })
  }
  if (runs.length > 12) return `${entries.length} entries of ${runs.length} terms`
  return runs.length === 0
    ? 'empty'
    : runs.map(({ term, count }) => (count === 1 ? `${term}` : `${term}x${count}`)).join(' ')
}

export function printMember({ id, isUp, isStalled, state, disk, log }: Member): string {
  const { currentTerm, votedFor } = disk.hardState
  if (!isUp) return `${id} is down: term ${currentTerm} vote ${votedFor ?? 'none'} log ${printLog(disk.log.entries)}`
  const { role } = state
  const counts = isCounted(state) ? '' : ', does not count'
  const after = log.start === 0 ? '' : `after ${log.start}: `
  const roleText = printRole(role.kind, state.currentTerm, role.kind === 'follower' ? role.leader : null)
  const writes = disk.queue.length === 0 ? '' : `, ${disk.queue.length} writes under way`
  const { commitIndex, durability } = state
  const indexes = `commit ${commitIndex} durable ${durability.durableIndex}${writes}`
  return `${id} ${roleText}, vote ${state.votedFor ?? 'none'}, log ${after}${printLog(log.entries.slice(log.start))}, ${indexes}${counts}${isStalled ? ', stalled' : ''}`
}
