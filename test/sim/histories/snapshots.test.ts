// Histories of members that start from checkpoints or were away for too long (H19, H30, H36): what a restart brings back,
// what a snapshot may be concluded from, and that one that is cut off or wrong does no harm.
import t from 'tap'
import { assert } from '../../../src/assert.ts'
import { decodeFrame, encodeFrame } from '../../../src/codec/frame.ts'
import type { LinkFrame } from '../../../src/codec/frame.ts'
import { asClusterId, asDigest, asIndex, asLockName } from '../../../src/ids.ts'
import type { Machine } from '../machine.ts'
import type { Script } from '../script.ts'
import { answerOf, grantOf } from '../script.ts'
import { eager, said, scene, work } from './scene.ts'

/** Keeps `machine` away until the others have forgotten what it lacks. */
function takeAway({ script, from }: { script: Script; from: Machine }, machine: Machine): void {
  machine.crash(true)
  work(script, from, 20)
  const trimmed = script.replicaOf(from).core.raft.log.start.index
  assert(trimmed > machine.disk.durable().lastIndex, 'what it lacks is gone')
}

t.test('a member starts again from its checkpoint, and replays what is behind it', async (t) => {
  const { script, a, b } = scene({ keeping: eager })
  const grant = script.hold(a, { lock: asLockName('kept'), ttlMs: 600_000 })
  work(script, a)
  b.crash(true)
  const { index } = b.disk.durable().state.checkpoint ?? { index: 0 }
  t.ok(index > 0, 'it has one')
  b.start()
  script.until(() => script.isSettled, 'it is back')
  t.equal(said(script, new RegExp(`${b.id} member of .*"applied":${index},`)), 1)
  t.equal(script.read(b, asLockName('kept')), grant.token)
  t.equal(said(script, /sending a snapshot/), 0)
})

t.test(
  'H30 all lose their power at once, at any moment: every answered grant is there, and tokens go on',
  async (t) => {
    let restartsFromCheckpoints = 0
    for (let delayMs = 0; delayMs < 40; delayMs++) {
      const { script, a, b } = scene({ keeping: { ...eager, entries: 3 } })
      const grants = [1, 2, 3, 4].map((number) =>
        script.hold(a, { lock: asLockName(`lock ${number}`), ttlMs: 600_000 }),
      )
      // Something is on its way to every disk.
      for (let count = 0; count < 4; count++) script.acquire(b, { requestId: script.requestId(), waitMs: 0 })
      script.pass(delayMs / 4)
      for (const machine of script.world.machines) machine.crash(true)
      for (const machine of script.world.machines) machine.start()
      script.until(() => script.world.leader !== null && script.isSettled, 'they are back')
      for (const { lock, token } of grants) assert(script.read(script.leader, lock) === token, `${lock} is held`)
      const next = script.hold(script.leader, { lock: asLockName('next') })
      assert(
        grants.every(({ token }) => token < next.token),
        'tokens grow',
      )
      restartsFromCheckpoints += said(script, /member of .*"applied":[1-9]/)
    }
    t.ok(restartsFromCheckpoints > 60, `${restartsFromCheckpoints} restarts from a checkpoint`)
  },
)

t.test('who was away gets a snapshot while the others go on, and serves behind it', async (t) => {
  const { script, a, b } = scene({ keeping: eager })
  const grant = script.hold(b, { lock: asLockName('kept'), ttlMs: 600_000 })
  takeAway({ script, from: a }, b)
  b.start()
  const waiting = script.acquire(a, { requestId: script.requestId() })
  script.until(() => said(script, /a snapshot took the place/) === 1, 'a snapshot is installed')
  t.equal(answerOf(waiting), 'granted')
  script.until(() => script.isSettled, 'it has caught up')
  t.equal(script.read(b, asLockName('kept')), grant.token)
  t.equal(script.release(b, grant).kind, 'outcome')
})

t.test('H36 a snapshot that takes longer than the next checkpoints is not followed by another', async (t) => {
  const { script, a, b } = scene({ keeping: eager })
  takeAway({ script, from: a }, b)
  b.disk.slow(400)
  b.start()
  script.until(() => said(script, /taking a snapshot/) === 1, 'it begins')
  const before = script.world.happenings.counts.checkpoints
  while (said(script, /a snapshot took the place/) === 0) work(script, a, 1)
  t.ok(script.world.happenings.counts.checkpoints > before + 6, 'others made several checkpoints meanwhile')
  b.disk.slow(1)
  script.until(() => script.isSettled, 'it has caught up')
  t.equal(said(script, /taking a snapshot/), 1)
})

t.test('H19 nothing is concluded across a snapshot: who is in a set goes on, the rest is unknown', async (t) => {
  const { script, a, b, c } = scene({ keeping: eager })
  const held = script.hold(c, { ttlMs: 600_000 })
  const other = script.hold(b, { lock: asLockName('other'), ttlMs: 600_000 })
  // b is heard, and hears nothing: what becomes of its commands it will not see entry by entry.
  for (const from of [a, c]) script.world.network.cut(from.id, b.id)
  const waits = script.acquire(b, { requestId: script.requestId() })
  const granted = script.acquire(b, { requestId: script.requestId(), lock: asLockName('free'), ttlMs: 600_000 })
  const refused = script.acquire(b, { requestId: script.requestId(), waitMs: 0 })
  const released = script.send(b, { kind: 'release', lock: other.lock, token: other.token, session: null })
  script.until(() => script.committed('release').length === 1, 'all are in the log')
  work(script, c, 20)
  for (const from of [a, c]) script.world.network.reset(from.id, b.id)
  script.heal()
  script.until(() => said(script, /a snapshot took the place/) === 1, 'b jumps over them')
  script.pass(100)
  t.same(
    [answerOf(waits), answerOf(granted), answerOf(refused), answerOf(released)],
    ['waiting', 'granted', 'unknown', 'unknown'],
  )
  t.equal(grantOf(granted).token, script.holder(asLockName('free')))
  script.release(c, held)
  script.until(() => waits.reply !== null, 'its turn comes')
  t.equal(answerOf(waits), 'granted')
})

// ---- streams that are not as they should be

/** What `from` sends to `to` passes through `change`, until that says null once. */
function alter(script: Script, change: (frame: LinkFrame) => readonly LinkFrame[] | null): void {
  const { network } = script.world
  network.alter = (_from, _to, bytes) => {
    const changed = change(decodeFrame(bytes))
    if (changed === null) return [bytes]
    network.alter = (_from, _to, others) => [others]
    return changed.map((frame) => encodeFrame(frame))
  }
}

const lies: Readonly<Record<string, (frame: LinkFrame) => readonly LinkFrame[] | null>> = {
  'a chunk twice': (frame) => (frame.kind === 'snapshotChunk' ? [frame, frame] : null),
  'a chunk less': (frame) => (frame.kind === 'snapshotChunk' ? [] : null),
  'more chunks at its end than it has': (frame) =>
    frame.kind === 'snapshotEnd' ? [{ ...frame, chunks: frame.chunks + 1 }] : null,
  'no end': (frame) => (frame.kind === 'snapshotEnd' ? [] : null),
  'another digest': (frame) =>
    frame.kind === 'snapshotOffer'
      ? [{ ...frame, checkpoint: { ...frame.checkpoint, digest: asDigest((frame.checkpoint.digest + 1) % 2 ** 48) } }]
      : null,
  'another number of records': (frame) =>
    frame.kind === 'snapshotOffer'
      ? [{ ...frame, checkpoint: { ...frame.checkpoint, records: frame.checkpoint.records + 1 } }]
      : null,
  'a record less': (frame) => (frame.kind === 'snapshotChunk' ? [{ ...frame, records: frame.records.slice(1) }] : null),
  'a record that is none': (frame) =>
    frame.kind === 'snapshotChunk'
      ? [{ ...frame, records: [{ key: Uint8Array.of(250), value: Uint8Array.of(1) }] }]
      : null,
  'an end before its records': (frame) =>
    frame.kind === 'snapshotChunk' ? [{ kind: 'snapshotEnd', transfer: frame.transfer, chunks: 0 }, frame] : null,
  'a snapshot of the same place again': (frame) =>
    frame.kind === 'snapshotEnd' ? [frame, frame, { ...frame, transfer: frame.transfer + 1 }] : null,
}

for (const [what, change] of Object.entries(lies)) {
  t.test(`a snapshot stream with ${what} does no harm, and the next is taken`, async (t) => {
    const { script, a, b } = scene({ keeping: eager })
    const grant = script.hold(a, { lock: asLockName('kept'), ttlMs: 600_000 })
    takeAway({ script, from: a }, b)
    alter(script, change)
    b.start()
    script.until(() => said(script, /a snapshot took the place/) === 1, 'a sound one is installed', 60_000)
    script.until(() => script.isSettled, 'it has caught up')
    t.equal(script.read(b, asLockName('kept')), grant.token)
    t.equal(script.world.failures.size, 0, 'nobody ended')
  })
}

t.test('a snapshot of another cluster is refused', async (t) => {
  const { script, a, b } = scene({ keeping: eager })
  takeAway({ script, from: a }, b)
  alter(script, (frame) => (frame.kind === 'snapshotOffer' ? [{ ...frame, clusterId: otherCluster }] : null))
  b.start()
  script.until(() => script.isSettled && b.isUp, 'it has caught up')
  t.equal(said(script, /taking a snapshot/), 1, 'the first was not taken')
})

t.test('a snapshot that is cut off at any frame, by its link or by either end, begins again', async (t) => {
  let cutOff = 0
  for (const how of ['reset', 'receiver', 'sender'] as const) {
    for (let frames = 0; frames < 12; frames++) {
      const { script, a, b } = scene({ keeping: eager })
      const grant = script.hold(a, { lock: asLockName('kept'), ttlMs: 600_000 })
      takeAway({ script, from: a }, b)
      b.start()
      script.until(() => said(script, /taking a snapshot/) === 1, 'it begins')
      script.pass(frames)
      if (said(script, /a snapshot took the place/) === 0) cutOff++
      if (how === 'reset') script.world.network.reset(a.id, b.id)
      else (how === 'receiver' ? b : a).crash(frames % 2 === 0)
      for (const machine of script.world.machines) machine.start()
      script.until(() => script.world.leader !== null && script.isSettled, 'all are there')
      assert(script.read(b, asLockName('kept')) === grant.token, 'it has what was held')
    }
  }
  t.ok(cutOff >= 12, `${cutOff} were cut off`)
})

t.test('a crash between any two effects of an install leaves what goes on', async (t) => {
  let crashed = 0
  for (let fuse = 0; fuse < 32; fuse++) {
    const { script, a, b } = scene({ keeping: eager })
    takeAway({ script, from: a }, b)
    b.start(fuse)
    script.pass(300)
    if (!b.isUp) crashed++
    if (b.process !== null) b.process.fuse = null
    b.start()
    script.until(() => script.isSettled && b.isUp, `with a crash at step ${fuse}`)
    assert(script.world.failures.size === 0, 'nobody is damaged')
    assert(b.disk.durable().start.index >= asIndex(1), 'its log begins later')
  }
  t.ok(crashed > 20, `${crashed} crashes`)
})

const otherCluster = asClusterId('f'.repeat(32))
