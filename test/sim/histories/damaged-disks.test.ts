// Histories of disks that lie (H31): what is damaged is found by the disk's owner, what is gone without a trace by those
// who were told of it, what was lost rightly is no loss; and members whose lock tables differ stop (S7).
import t from 'tap'
import { assert } from '../../../src/assert.ts'
import { asClusterTime, asIndex, asLockName, asRun, asTerm } from '../../../src/ids.ts'
import { apply } from '../../../src/lockfsm/apply.ts'
import type { FlippedBit } from '../../../src/testing/memory-disk.ts'
import type { Machine } from '../machine.ts'
import type { Script } from '../script.ts'
import { doesCount, eager, leads, said, scene, takeIn, wipe, work } from './scene.ts'

const bitsOfLog: readonly FlippedBit[] = [
  { kind: 'hardState' },
  { kind: 'meta' },
  { kind: 'founding' },
  { kind: 'entry', index: asIndex(1) },
  { kind: 'entry', index: asIndex(8) },
]

for (const bit of bitsOfLog) {
  const what = bit.kind === 'entry' ? `entry ${bit.index}` : bit.kind
  t.test(
    `a flipped bit in the log, ${what}: the node ends before it says a word, and comes back with another disk`,
    async (t) => {
      const { script, a, b } = scene()
      const grant = script.hold(a, { ttlMs: 600_000 })
      work(script, a, 3)
      b.crash(true)
      t.ok(b.disk.flipBit(bit))
      const sent = script.world.network.sent
      b.start()
      t.equal(script.world.failures.get(b.id)?.code, 'damaged')
      t.equal(script.world.network.sent, sent)
      script.world.failures.delete(b.id)
      wipe(script, b)
      takeIn(script, b, a)
      script.until(() => script.isSettled, 'it has caught up')
      t.equal(script.read(b), grant.token)
    },
  )
}

const bitsOfState: readonly FlippedBit[] = [{ kind: 'checkpoint' }, { kind: 'record', place: 0 }]

for (const bit of bitsOfState) {
  t.test(
    `a flipped bit in the state, ${bit.kind}: the node votes on, serves nobody, and gets a snapshot`,
    async (t) => {
      const { script, a, b, c } = scene({ keeping: eager })
      const grant = script.hold(a, { ttlMs: 600_000 })
      work(script, a)
      b.crash(true)
      t.ok(b.disk.flipBit(bit))
      // Without it there is no majority: it must acknowledge, and cannot be sent what it lacks, as a has no checkpoint to send.
      c.crash(true)
      b.start()
      script.until(() => b.node?.replica !== null && b.node?.replica !== undefined, 'it is a member')
      t.equal(script.replicaOf(b).readiness().ready, false)
      t.equal(script.read(b), 'failed', 'it shows nothing that never was')
      t.equal(said(script, new RegExp(`${b.id} the state is given up`)), 1)
      script.until(() => doesCount(b), 'it has a state again')
      script.until(() => script.isSettled, 'and has caught up')
      t.equal(script.read(b), grant.token)
      t.equal(script.world.failures.size, 0, 'nobody ended')
    },
  )
}

t.test('a minority without a state: the others go on, and those who vote without one never lead', async (t) => {
  const { script, a, b, c } = scene({ members: 5, keeping: eager })
  const grant = script.hold(a, { ttlMs: 600_000 })
  work(script, a)
  for (const machine of [b, c]) {
    machine.crash(true)
    t.ok(machine.disk.flipBit({ kind: 'checkpoint' }))
    script.world.network.cut(a.id, machine.id)
    machine.start()
  }
  a.crash(true)
  for (let looks = 0; looks < 60; looks++) {
    script.pass(50)
    for (const machine of [b, c])
      assert(!leads(machine) || script.replicaOf(machine).hasState, 'it has nothing to lead with')
  }
  script.heal()
  script.until(() => [b, c].every(doesCount), 'both have a state again')
  script.until(() => script.isSettled, 'and have caught up')
  t.equal(script.read(c), grant.token)
})

t.test('a lost state comes back in a quiet cluster, too, whose leader let the last mark pass', async (t) => {
  const { script, a, b, c } = scene({ keeping: eager })
  work(script, a)
  script.until(() => script.isSettled, 'all have it')
  // It is still busy with one checkpoint when the mark of the next is applied.
  a.disk.stall()
  work(script, b)
  script.pass(500)
  a.disk.resume()
  script.until(() => script.isSettled, 'it has caught up')
  const { checkpoint } = a.disk.durable().state
  t.ok(leads(a) && checkpoint !== null && checkpoint.index < c.disk.durable().start.index, 'c needs a later one')
  c.crash(true)
  t.ok(c.disk.flipBit({ kind: 'checkpoint' }))
  c.start()
  script.until(() => doesCount(c), 'it has a state again')
  t.ok(script.hold(c))
})

t.test(
  'a lost tail of acknowledged entries is seen by the leader, before the node is heard by anybody else',
  async (t) => {
    const { script, a, b } = scene()
    work(script, a, 3)
    script.until(() => script.isSettled, 'all is acknowledged')
    b.crash(true)
    const before = b.disk.durable().lastIndex
    t.ok(b.disk.loseTail('log', 2) > 0)
    t.ok(b.disk.durable().lastIndex < before)
    b.start()
    script.until(() => script.world.failures.has(b.id), 'it ends')
    const failure = script.world.failures.get(b.id)
    t.equal(failure?.code, 'damaged')
    t.match(failure?.message, /was told that disk .* had entries that it has no more/)
  },
)

t.test('a lost tail is seen also when leader and witness start again meanwhile', async (t) => {
  const { script, a, b } = scene()
  work(script, a, 3)
  // What a knows of b is written with its own next batch.
  script.until(() => script.isSettled, 'all is acknowledged')
  work(script, a, 1)
  b.crash(true)
  b.disk.loseTail('log', 12)
  script.pass(100)
  a.crash(true)
  a.start()
  b.start()
  script.until(() => script.world.failures.has(b.id), 'it ends')
  t.match(script.world.failures.get(b.id)?.code, /damaged|old_run/)
})

t.test('a disk that has lost the start of its process, too, is seen', async (t) => {
  const { script, a, b, c } = scene()
  b.crash(true)
  const { run } = b.disk.durable().meta ?? { run: 0 }
  b.start()
  script.until(() => script.isSettled && b.node?.peers.isConnected(c.id) === true, 'it is back')
  work(script, a, 3)
  script.until(() => script.isSettled, 'all is acknowledged')
  b.crash(true)
  while (b.disk.durable().meta?.run !== run) t.ok(b.disk.loseTail('log', 1) > 0)
  // Not by c, for whom it may as well be a later process; but a was told of what this one lacks.
  script.isolate(b, [c])
  b.start()
  script.until(() => script.world.failures.has(b.id), 'it ends')
  t.match(script.world.failures.get(b.id)?.code, /damaged|old_run/)
})

t.test('a lost batch of which nobody was told is no loss', async (t) => {
  const { script, a, b } = scene()
  work(script, a, 3)
  script.until(() => script.isSettled, 'all is acknowledged')
  // What comes now is stored by b, and nobody hears so.
  const others = script.world.machines.filter((machine) => machine !== b)
  for (const other of others) script.world.network.cut(b.id, other.id)
  work(script, a, 1)
  script.pass(50)
  b.crash(true)
  for (const other of others) script.world.network.reset(b.id, other.id)
  const before = b.disk.durable().lastIndex
  t.ok(b.disk.loseTail('log', 1) > 0)
  t.ok(b.disk.durable().lastIndex < before)
  script.heal()
  b.start()
  script.until(() => b.isUp && script.isSettled, 'it goes on')
  t.equal(script.world.failures.size, 0)
})

t.test(
  'H31 who was rightly truncated has lost nothing, though the old leader remembers its acknowledgement',
  async (t) => {
    const { script, a, b, c } = scene({ members: 5 })
    const others = script.followers.filter((machine) => machine !== b && machine !== c)
    script.until(() => script.isSettled, 'all agree')
    // Only b gets what a appends now, and says so.
    for (const other of [c, ...others]) script.world.network.cut(a.id, other.id)
    for (let count = 0; count < 5; count++) {
      script.acquire(a, { requestId: script.requestId(), lock: asLockName(`lost ${count}`) })
      script.pass(5)
    }
    const acknowledged = b.disk.durable().lastIndex
    t.ok(acknowledged > c.disk.durable().lastIndex)
    a.process?.pauseUntil(script.now + 20_000)
    b.process?.pauseUntil(script.now + 3000)
    script.until(() => [c, ...others].some(leads), 'another leads')
    script.until(
      () => b.disk.durable().lastIndex < acknowledged || b.disk.durable().hardState.currentTerm > 1,
      'b follows it',
    )
    script.until(() => b.disk.durable().entryAt(acknowledged)?.term !== asTerm(1), 'b is truncated')
    b.crash(true)
    script.heal()
    a.process?.resume()
    b.start()
    script.until(() => script.isSettled && b.isUp, 'a and b are back')
    t.equal(script.world.failures.size, 0)
  },
)

// ---- lock tables that differ

/** The lock table of one member renews a session that nobody renewed. */
function tamper(script: Script, machine: Machine, ttlMs: number): void {
  const { lock } = script.replicaOf(machine)
  script.world.tampered.add(machine.id)
  const [session] = lock.sessions.keys()
  assert(session !== undefined, 'there is a session')
  const renewals = [{ session, ttlMs }]
  const origin = { node: machine.id, run: asRun(2 ** 50), number: 1 }
  apply(lock, { time: asClusterTime(lock.time), commands: [{ origin, command: { kind: 'renewSessions', renewals } }] })
}

t.test('S7 a member whose lock table differs from that of the majority stops, and the others go on', async (t) => {
  const { script, a, b } = scene({ keeping: eager })
  script.openSession(a, 600_000)
  script.until(() => script.isSettled, 'all have it')
  tamper(script, b, 700_000)
  const since = script.now
  work(script, a)
  script.until(() => script.world.failures.has(b.id), 'it stops')
  t.equal(script.world.failures.get(b.id)?.code, 'diverged')
  t.match(script.world.failures.get(b.id)?.message, /differs from that of a majority/)
  t.ok(script.now - since < 3000, `after ${script.now - since} ms`)
  t.equal(script.world.failures.size, 1)
  t.ok(script.hold(a))
})

t.test('S7 one that is started again with what differs stops as soon as it meets the others', async (t) => {
  const { script, a, b } = scene({ keeping: eager })
  const { failures } = script.world
  script.openSession(a, 600_000)
  script.until(() => script.isSettled, 'all have it')
  tamper(script, b, 700_000)
  work(script, a)
  script.until(() => failures.has(b.id), 'it stops')
  failures.delete(b.id)
  b.start()
  const since = script.now
  script.until(() => failures.has(b.id), 'it stops')
  t.equal(failures.get(b.id)?.code, 'diverged')
  t.ok(script.now - since < 3000, `after ${script.now - since} ms, and without another checkpoint`)
})

t.test('S7 when no two lock tables agree, all stop 10 s later: nobody can say who is right', async (t) => {
  const { script, a, b, c } = scene({ keeping: eager })
  script.openSession(a, 600_000)
  script.until(() => script.isSettled, 'all have it')
  tamper(script, b, 700_000)
  tamper(script, c, 800_000)
  work(script, a)
  const since = script.now
  script.until(() => script.world.failures.size === 3, 'all stop')
  t.ok(script.now - since > 9000, `after ${script.now - since} ms`)
  for (const { id } of [a, b, c]) t.match(script.world.failures.get(id)?.message, /none is that of a majority/)
})
