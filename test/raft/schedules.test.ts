// The whole core under random schedules: loss, duplication, reordering, one-way cuts, crashes that lose what was not
// synced, grouped and hanging writes, stalls, clocks that leap, proposals, reads, transfers, trims, snapshots, lost disks; all checks after every
// step, then a healing in which a leader must emerge and everybody catch up. SCHEDULES=20000 plays more than the few of
// every run.
import fc from 'fast-check'
import t from 'tap'
import { playSchedule, schedules } from '../support/raft-schedule.ts'
import type { WorldEvent } from '../support/raft-world.ts'

const count = Number(process.env['SCHEDULES'] ?? 500)
// Many take longer than a test may.
if (process.env['SCHEDULES'] !== undefined) t.setTimeout(0)

/** What must happen somewhere in so many schedules; otherwise they have become tame and prove nothing. */
const wanted = [
  'truncation',
  'truncation over a write under way',
  'load',
  'readReady',
  'refuseRead',
  'refuseProposal overloaded',
  'refuseProposal transferring',
  'refuseTransfer timedOut',
  ...['candidate', 'follower', 'leader', 'preCandidate'].flatMap((role) => [
    `preVote at ${role}`,
    `preVoteResponse at ${role}`,
    `requestVote at ${role}`,
    `requestVoteResponse at ${role}`,
    `appendAccepted at ${role}`,
    `persisted at ${role}`,
    `peerGone at ${role}`,
    `peerConnected at ${role}`,
  ]),
  ...['candidate', 'follower', 'preCandidate'].map((role) => `appendEntries at ${role}`),
  'appendRejected at leader',
  'trim at leader',
  'trim at follower',
  'sendSnapshot',
  'ignoreSnapshot',
  'installSnapshot',
  'installSnapshot with a tail',
  'snapshotReceived at follower',
  'snapshotReceived at leader',
  'snapshotReceived at preCandidate',
  'snapshotReceived at candidate',
  'snapshotEnded at leader',
  'snapshotEnded at follower',
  'storeCounted',
  'refuseReplacement notLeader',
  'refuseReplacement takingOver',
  'refuseReplacement underWay',
  'refuseReplacement inForce',
  'timeoutNow at follower',
  'readIndex at leader',
  'readIndexResponse at follower',
]

t.test(`RAFT 2: ${count} random schedules keep every promise, and heal`, async (t) => {
  const seen = new Set<string>()
  let leaders = 0
  let commits = 0
  fc.assert(
    fc.property(schedules, (schedule) => {
      const { history } = playSchedule(schedule, (event) => note(seen, event))
      leaders += history.leaderOf.size
      commits += history.committed.length
    }),
    { numRuns: count },
  )
  t.comment(`${leaders} leaders, ${commits} entries committed`)
  t.same(
    wanted.filter((what) => !seen.has(what)),
    [],
    'everything that should be met was met',
  )
})

function note(seen: Set<string>, event: WorldEvent): void {
  if (event.kind === 'given') {
    const { happening, member } = event
    seen.add(`${happening.kind === 'message' ? happening.message.kind : happening.kind} at ${member.state.role.kind}`)
  } else if (event.kind === 'effect') {
    const { effect, member } = event
    if (effect.kind === 'loadEntries') seen.add('load')
    if (effect.kind === 'readReady' || effect.kind === 'refuseRead') seen.add(effect.kind)
    if (effect.kind === 'sendSnapshot' || effect.kind === 'ignoreSnapshot') seen.add(effect.kind)
    if (effect.kind === 'storeCounted') seen.add(effect.kind)
    if (effect.kind === 'refuseProposal' || effect.kind === 'refuseTransfer')
      seen.add(`${effect.kind} ${effect.reason}`)
    if (effect.kind === 'installSnapshot') seen.add(`installSnapshot${effect.keepsTail ? ' with a tail' : ''}`)
    if (effect.kind === 'refuseReplacement') seen.add(`${effect.kind} ${effect.reason}`)
    if (effect.kind === 'persist' && effect.trimTo !== null) seen.add(`trim at ${member.state.role.kind}`)
    if (effect.kind === 'persist' && effect.truncateFrom !== null) {
      seen.add('truncation')
      if (member.disk.queue.some((write) => 'entries' in write && write.entries.length > 0))
        seen.add('truncation over a write under way')
    }
  }
}
