// The rules of cluster time (DESIGN 4), seen from outside after every turn of a leader: time never runs faster than real
// time, whoever leads; a turn counts for 200 ms at most, however long the pause before it was (H5); and without commits
// of its own term time stops 2 s ahead. Also that who leads has heard a majority lately, by its own clock (check-quorum).
import { assert } from '../../../src/assert.ts'
import type { NodeId } from '../../../src/ids.ts'
import { windowFirst } from '../../../src/raft/log.ts'
import type { RaftState } from '../../../src/raft/state.ts'
import type { Machine } from '../machine.ts'
import { ByEntry } from './by-entry.ts'

/** Virtual time runs at most so much slower than a good clock. */
const clockRateMax = 1.001
const roundingMs = 2
const turnCountsMs = 200
const aheadMs = 2000
/** An election timeout, and what it takes to look. */
const silentMsMax = 1500

/** Of a machine that leads: since when, and where its clock stood when it was last looked at. */
interface Led {
  readonly raft: RaftState
  readonly term: number
  readonly since: number
  clock: number
}

export class TimeChecks {
  readonly #now: () => number
  readonly #isGood: boolean
  readonly #led = new Map<NodeId, Led>()
  /** By (index, term): the least of stamp less real time along the log up to there. */
  readonly #lead = new ByEntry<number>()

  /** `isGood`: clocks keep to their bound, so that cluster time can be compared with real time. */
  constructor(now: () => number, isGood: boolean) {
    this.#now = now
    this.#isGood = isGood
  }

  /** A machine has finished a turn. */
  turned(machine: Machine, raft: RaftState): void {
    const { role } = raft
    if (role.kind !== 'leader' || machine.process === null) {
      this.#led.delete(machine.id)
      return
    }
    this.#noteEntries(machine.id, raft)
    const { process } = machine
    const known = this.#led.get(machine.id)
    const clock = role.clock.time
    if (known?.raft !== raft || known.term !== raft.currentTerm) {
      const since = process.now()
      this.#led.set(machine.id, { raft, term: raft.currentTerm, since, clock })
      return
    }
    const counted = clock - known.clock
    assert(counted <= turnCountsMs, () => `H5: in one turn the time of ${machine.id} moved by ${counted} ms`)
    known.clock = clock
    this.#checkAhead(machine.id, raft, role.termStart)
    checkContact(machine, raft, known.since)
  }

  #checkAhead(id: NodeId, raft: RaftState, termStart: number): void {
    const { commitIndex, log } = raft
    if (commitIndex < termStart) return
    const committed = log.window[commitIndex - windowFirst(log)]
    if (committed === undefined) return
    const ahead = log.lastTime - committed.time
    assert(ahead <= aheadMs, () => `H5: ${id} is ${ahead} ms ahead of what is committed`)
  }

  /** Cluster time less real time may fall, while nobody leads or a leader sleeps, but never rise. */
  #noteEntries(id: NodeId, { log, currentTerm }: RaftState): void {
    if (!this.#isGood) return
    const now = this.#now() * clockRateMax
    const { window } = log
    let position = window.length
    let least: number | undefined
    for (; position > 0; position--) {
      const before = window[position - 1]
      least = before === undefined ? undefined : this.#lead.get(before)
      if (least !== undefined) break
    }
    for (; position < window.length; position++) {
      const entry = window[position]
      if (entry === undefined || entry.term !== currentTerm) continue
      const lead = entry.time - now
      assert(
        least === undefined || lead <= least + roundingMs,
        () => `S5: ${id} makes cluster time run ${lead - (least ?? 0)} ms fast`,
      )
      least = Math.min(lead, least ?? Infinity)
      this.#lead.set(entry, least)
    }
  }
}

/** B51: who hears no majority steps down. */
function checkContact(machine: Machine, raft: RaftState, ledSince: number): void {
  // As of its last step: a clock may have jumped since, which nobody can have noticed yet.
  const { now } = raft
  let heard = 1
  for (const [member, heardAt] of machine.heardAt) {
    if (member !== raft.self && raft.members.includes(member) && now - heardAt <= silentMsMax) heard++
  }
  const isFresh = now - ledSince <= silentMsMax
  assert(
    isFresh || heard * 2 > raft.members.length,
    () => `B51: ${machine.id} leads, and has heard ${heard} of ${raft.members.length}`,
  )
}
