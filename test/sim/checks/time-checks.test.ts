// The rules of cluster time and of contact, each broken once in a settled cluster by doctoring its leader.
import t from 'tap'
import { assert } from '../../../src/assert.ts'
import { asClusterTime, asIndex, asTerm } from '../../../src/ids.ts'
import type { Leader, RaftState } from '../../../src/raft/state.ts'
import { append } from '../../../src/raft/log.ts'
import type { Machine } from '../machine.ts'
import { Script } from '../script.ts'
import { TimeChecks } from './time-checks.ts'

interface Scene {
  readonly script: Script
  readonly machine: Machine
  readonly raft: RaftState
  readonly role: Leader
  readonly checks: TimeChecks
  readonly look: () => void
  /** Lets time pass and looks after everything that happens. */
  readonly pass: (ms: number) => void
}

/** A leader that has been looked at since it leads. */
function scene(isGood = true): Scene {
  const script = new Script()
  const { machines } = script.world
  const checks = new TimeChecks(() => script.now, isGood)
  const lookAtAll = () => {
    for (const machine of machines) {
      const replica = machine.node?.replica ?? null
      if (replica !== null) checks.turned(machine, replica.core.raft)
    }
  }
  const pass = (ms: number) => {
    script.world.run(script.now + ms, () => {
      lookAtAll()
      return false
    })
  }
  for (const machine of machines) machine.start()
  pass(3000)
  script.acquire(script.leader, { requestId: script.requestId() })
  pass(100)
  const machine = script.leader
  const { raft } = script.replicaOf(machine).core
  assert(raft.role.kind === 'leader', 'it leads')
  return { script, machine, raft, role: raft.role, checks, look: () => checks.turned(machine, raft), pass }
}

/** The leader stamps an entry so much later than its last. */
function stampLater({ raft }: Pick<Scene, 'raft'>, ms: number): void {
  const { currentTerm: term, log } = raft
  const time = asClusterTime(log.lastTime + ms)
  append(log, [{ index: asIndex(log.lastIndex + 1), term, time, payload: new Uint8Array(0) }])
}

t.test('S5 a leader that goes on as it should is right', async (t) => {
  const { role, pass } = scene()
  const before = role.clock.time
  pass(2000)
  t.ok(role.clock.time > before + 1900)
})

t.test('S5 cluster time that runs faster than real time is seen', async (t) => {
  const s = scene()
  stampLater(s, 1000)
  t.throws(s.look, /^S5: n\d makes cluster time run [\d.]+ ms fast/)
})

t.test('S5 with clocks out of bounds it is not compared', async (t) => {
  const s = scene(false)
  stampLater(s, 1000)
  s.look()
  t.pass('nobody objects')
})

t.test('S5 a new leader that stamps beyond the last entry it found is seen', async (t) => {
  const { raft, machine, checks } = scene()
  // What the next leader makes of the same log.
  const { window, spans } = raft.log
  const log = { ...raft.log, window: [...window], spans: [...spans] }
  const next: RaftState = { ...raft, currentTerm: asTerm(raft.currentTerm + 1), log }
  stampLater({ raft: next }, 1000)
  t.throws(() => checks.turned(machine, next), /^S5: n\d makes cluster time run [\d.]+ ms fast/)
})

t.test('H5 a turn that counts for more than 200 ms is seen', async (t) => {
  const { role, look } = scene()
  role.clock.time += 200
  look()
  role.clock.time += 201
  t.throws(look, /^H5: in one turn the time of n\d moved by 201 ms/)
})

t.test('H5 an entry more than 2 s beyond the last committed one is seen', async (t) => {
  const s = scene(false)
  stampLater(s, 2000)
  s.look()
  stampLater(s, 1)
  t.throws(s.look, /^H5: n\d is 2001 ms ahead of what is committed/)
})

t.test('B51 a leader that has heard no majority for long is seen', async (t) => {
  const { raft, machine, look } = scene()
  raft.now += 1400
  look()
  raft.now += 200
  t.throws(look, /^B51: n\d leads, and has heard 1 of 3/)
  const [peer] = raft.members.filter((member) => member !== machine.id)
  assert(peer !== undefined, 'it has peers')
  machine.heardAt.set(peer, raft.now)
  look()
})
