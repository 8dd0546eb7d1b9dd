// Bugs that other systems shipped (test/CATALOGUE.md), told end to end where no history of ours tells them already: a vote
// that the disk refused, a grant whose answer died with the leader, a member that knows everything from a snapshot only.
import t from 'tap'
import { assert } from '../../../src/assert.ts'
import { asLockName } from '../../../src/ids.ts'
import { answerOf, grantOf } from '../script.ts'
import type { Shown } from '../script.ts'
import { eager, leads, said, scene, work } from './scene.ts'
import type { Scene } from './scene.ts'

/** `b` loses sight of what happens for so long that it needs a snapshot, and gets it. */
function restoreBySnapshot({ script, a, b }: Scene): void {
  b.crash(true)
  work(script, a, 20)
  b.start()
  script.until(() => said(script, /a snapshot took the place/) === 1, 'it has got a snapshot')
  script.until(() => script.replicaOf(b).appliedIndex === script.world.lockChecks.index, 'it has caught up')
}

t.test(
  'B02 a vote that could not be stored is not given: who should give it ends, and nobody leads by it',
  async (t) => {
    // One of them campaigns first and is the voter for itself, the other is asked.
    const ends = [1, 2].map((follower) => {
      const { script, a, b, c } = scene()
      const term = script.replicaOf(a).core.raft.currentTerm
      const voter = follower === 1 ? b : c
      a.crash(true)
      voter.disk.failNextWrite(new Error('EIO: i/o error'))
      script.until(() => script.world.failures.has(voter.id), 'the first write of an election fails')
      script.pass(3000)
      assert(script.world.leader === null, 'nobody was elected by a vote that is not on a disk')
      const { code } = script.world.failures.get(voter.id) ?? {}
      voter.start()
      script.until(() => script.world.leader !== null && script.isSettled, 'they elect a leader')
      assert(script.replicaOf(script.leader).core.raft.currentTerm > term, 'of a later term')
      return code
    })
    t.same(ends, ['write_failed', 'write_failed'])
  },
)

t.test('B97 B111 a grant that its leader died of is found by a retry at any other node, once', async (t) => {
  const { script, a, b, c } = scene()
  const { session } = script.openSession(b, 20_000)
  const requestId = script.requestId()
  // What the others say does not arrive: the entry is on their disks, and nobody knows that it is committed.
  for (const from of [b, c]) script.world.network.cut(from.id, a.id)
  const first = script.acquire(a, { requestId, session })
  script.pass(100)
  t.equal(script.holder(), null)
  a.crash(true)
  script.heal()
  const retries = [b, c].map((node) => script.acquire(node, { requestId, session }))
  script.until(() => retries.every(({ reply }) => reply !== null), 'the retries are answered')
  const token = script.holder()
  t.same([answerOf(first), ...retries.map((retry) => grantOf(retry).token)], ['broken', token, token])
  a.start()
  script.until(() => script.isSettled, 'it is back')
  t.equal(script.world.lockChecks.lives.grants.size, 1, 'one grant')
  t.equal(script.committed('acquire').length, 3, 'three attempts, all of them in the log')
})

t.test('B87 B105 who knows everything from a snapshot leads with every grant, and ends what is due', async (t) => {
  const s = scene({ keeping: eager })
  const { script, a, b, c } = s
  const [kept, dead] = [asLockName('kept'), asLockName('dead')]
  const grant = script.hold(c, { lock: kept, ttlMs: 600_000 })
  const { session } = script.openSession(c, 20_000)
  const crashed = script.hold(c, { lock: dead, session, ttlMs: null })
  const waiting = script.acquire(c, { requestId: script.requestId(), lock: dead })
  restoreBySnapshot(s)
  const renewal = script.send(b, { kind: 'renewSessions', renewals: [{ session, ttlMs: null }] })
  script.until(() => renewal.reply !== null, 'the last word of the holder')
  script.replicaOf(a).transfer({ to: b.id, done: () => {} })
  script.until(() => leads(b), 'it leads')
  t.equal(script.read(b, kept), grant.token)
  t.equal(script.read(b, dead), crashed.token, 'the session has not ended with the leader')
  script.until(() => waiting.reply !== null, 'the dead holder gives way', 25_000)
  const livedMs = script.now - renewal.sentAt
  t.ok(livedMs >= 20_000 && livedMs < 22_000, `${livedMs} ms after its last renewal`)
  t.ok(grantOf(waiting).token > crashed.token)
  t.equal(script.read(b, kept), grant.token)
})

t.test('B112 whoever is asked after a session has ended shows no holder, however far behind', async (t) => {
  const { script, a, b, c } = scene({ appendBytesMax: 300, keeping: { ...eager, entries: 10_000 } })
  const { session } = script.openSession(a, 20_000)
  const held = script.hold(a, { session, ttlMs: null })
  t.equal(script.read(b), held.token)
  // b hears nothing while others work and the session is closed; what it lacks comes in many appends.
  for (const from of [a, c]) script.world.network.cut(from.id, b.id)
  work(script, a, 40)
  t.equal(answerOf({ reply: script.ask(a, { kind: 'closeSession', session }) }), 'done')
  const closedAt = script.world.lockChecks.index
  for (const from of [a, c]) script.world.network.reset(from.id, b.id)
  script.heal()
  const behind = new Set<number>()
  const reads = new Set<Shown>()
  while (script.replicaOf(b).appliedIndex < closedAt) {
    behind.add(script.replicaOf(b).appliedIndex)
    reads.add(script.beginRead(b))
    script.pass(1)
  }
  t.ok(behind.size > 3, `it catches up in ${behind.size} steps, asked in each`)
  script.until(() => [...reads].every(({ token }) => token !== 'waiting'), 'all are answered')
  t.ok(
    [...reads].every(({ token }) => token === null || token === 'failed'),
    'nobody is shown to hold it',
  )
  t.ok([...reads].some(({ token }) => token === null))
})
