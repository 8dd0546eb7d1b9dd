import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { asClusterId, asClusterTime, asIndex, asSequence, asToken } from '../../src/ids.ts'
import { defaultLimits } from '../../src/lockfsm/state.ts'
import { firstCounters, restore, restoreJump } from '../../src/node/restore.ts'
import { hashBackup, readBackup } from '../../src/storage/backup-file.ts'
import type { FoundingRecord, Restored } from '../../src/storage/founding-store.ts'
import { anyWorld, World } from '../lockfsm/world.ts'
import type { WorldEntry } from '../lockfsm/world.ts'
import { someFounding } from '../storage/builders.ts'
import { temporaryFolder } from '../storage/temporary-folder.ts'
import { RecordedNode } from '../support/recorded-node.ts'
import { Ended } from '../support/manual-host.ts'

const path = join(temporaryFolder(t), 'some.backup')

/** What a new cluster would take over from these bytes. */
async function restored(bytes: Buffer): Promise<Restored> {
  writeFileSync(path, bytes)
  return restore({ path, sha256: await hashBackup(path), parts: readBackup(path), limits: defaultLimits })
}

/** A node with some entries, each with a command. */
function nodeWith(count: number): RecordedNode {
  const node = new RecordedNode(someFounding)
  go(node, new World(), count)
  return node
}

function go(node: RecordedNode, world: World, count: number): void {
  for (let n = 0; n < count; n++)
    step(node, world, { movedMs: 1, actions: [{ what: 'acquire', node: 0, pick: 0, chance: n }], reload: null })
}

function step(node: RecordedNode, world: World, { movedMs, actions }: WorldEntry): void {
  // Clients of this world look back up to half a minute.
  const time = Math.max(node.state.time, 60_000) + movedMs
  world.learn(node.append(time, world.commands(actions, time)))
}

t.test('what is restored from a backup counts above everything that was given before it began', async (t) => {
  const plan = fc.record({
    entries: anyWorld,
    beginAt: fc.nat(60),
    /** After which entries a checkpoint is made, the log trimmed, a piece pulled. */
    checkpointEvery: fc.integer({ min: 1, max: 40 }),
    trimEvery: fc.integer({ min: 1, max: 40 }),
    pullEvery: fc.integer({ min: 1, max: 10 }),
  })
  await fc.assert(
    fc.asyncProperty(plan, async ({ entries, beginAt, checkpointEvery, trimEvery, pullEvery }) => {
      const [node, world] = [new RecordedNode(someFounding), new World()]
      let backup = beginAt === 0 ? node.begin() : null
      const before = { token: node.state.nextToken, sequence: node.state.nextSequence }
      const pieces: Buffer[] = []
      let isWhole = false
      const pull = (): void => {
        if (backup === null || isWhole) return
        const piece = node.pull(backup)
        if (piece === null) isWhole = true
        else pieces.push(piece)
      }
      for (const [position, entry] of entries.entries()) {
        step(node, world, entry)
        if (position % checkpointEvery === 0) node.checkpoint()
        if (position % trimEvery === 0) node.trim()
        if (backup === null && position >= beginAt) {
          backup = node.begin()
          Object.assign(before, { token: node.state.nextToken, sequence: node.state.nextSequence })
        }
        if (position % pullEvery === 0) pull()
      }
      backup ??= node.begin()
      while (!isWhole) pull()
      const { firstToken, firstSequence, from } = await restored(Buffer.concat(pieces))
      if (from !== someFounding.clusterId) throw new Error('from another cluster')
      if (firstToken < before.token + restoreJump || firstSequence < before.sequence + restoreJump)
        throw new Error(`${firstToken} and ${firstSequence} after ${before.token} and ${before.sequence}`)
      if (node.openViews !== 0 || node.backups.holdsLogFrom !== null) throw new Error('something is still held')
    }),
    { numRuns: 60 },
  )
  t.pass()
})

t.test('a backup holds all up to the entry named and nothing behind it, with and without a checkpoint', async (t) => {
  for (const hasCheckpoint of [false, true]) {
    const world = new World()
    const node = new RecordedNode(someFounding)
    go(node, world, 10)
    if (hasCheckpoint) node.checkpoint()
    go(node, world, 10)
    const { nextSequence } = node.state
    const backup = node.begin()
    t.equal(backup.to, 20)
    go(node, world, 10)
    const found = await restored(node.pullWhole(backup))
    t.equal(found.firstSequence, nextSequence + restoreJump)
    t.ok(node.state.nextSequence > nextSequence)
  }
})

t.test('a backup of a restored cluster begins where that began', async (t) => {
  const founding: FoundingRecord = {
    ...someFounding,
    restored: {
      from: asClusterId('e'.repeat(32)),
      sha256: 'a'.repeat(64),
      firstToken: asToken(7e12),
      firstSequence: asSequence(8e12),
    },
  }
  const node = new RecordedNode(founding, firstCounters(founding))
  go(node, new World(), 5)
  const found = await restored(node.pullWhole(node.begin()))
  t.equal(found.firstSequence, node.state.nextSequence + restoreJump)
  t.ok(found.firstToken > 8e12 - 1)
})

t.test('counters that would pass 2^53 are refused', async (t) => {
  const high = Number.MAX_SAFE_INTEGER - 2 * restoreJump
  for (const [first, refused] of [
    [{ token: asToken(1), sequence: asSequence(high) }, false],
    [{ token: asToken(1), sequence: asSequence(high + 1) }, true],
    [{ token: asToken(high + 1), sequence: asSequence(1) }, true],
  ] as const) {
    const node = new RecordedNode(someFounding, first)
    node.checkpoint()
    const bytes = node.pullWhole(node.begin())
    if (refused) await t.rejects(restored(bytes), { code: 'backup_damaged', message: /no 1000000000000 numbers left/ })
    else t.equal((await restored(bytes)).firstSequence, high + restoreJump)
  }
})

t.test('the log is held from what is still to be read, and released with the end', async (t) => {
  const node = nodeWith(10)
  node.checkpoint()
  go(node, new World(), 5)
  t.equal(node.backups.holdsLogFrom, null)
  const backup = node.begin()
  t.equal(node.backups.holdsLogFrom, 11)
  node.checkpoint()
  node.trim()
  t.equal(node.start, 10)
  node.pullWhole(backup)
  t.equal(node.backups.holdsLogFrom, null)
  node.trim()
  t.equal(node.start, 15)
})

t.test('there is one backup at a time, and the next when it is over', async (t) => {
  const node = nodeWith(3)
  node.checkpoint()
  const first = node.begin()
  t.equal(node.backups.begin(node.lastIndex), 'busy')
  first.close()
  t.equal(node.openViews, 0)
  const second = node.begin()
  t.throws(() => node.pull(first), /closed/)
  first.close()
  t.equal(node.backups.begin(node.lastIndex), 'busy', 'who is closed twice closes nobody else')
  node.pullWhole(second)
  t.not(node.backups.begin(node.lastIndex), 'busy')
})

t.test('what nobody pulls for a minute is given up', async (t) => {
  const node = nodeWith(3)
  node.checkpoint()
  const backup = node.begin()
  node.host.pass(59_000)
  node.pull(backup)
  node.host.pass(59_000)
  t.not(node.backups.holdsLogFrom, null)
  node.host.pass(1001)
  t.equal(node.backups.holdsLogFrom, null)
  t.equal(node.openViews, 0)
  t.throws(() => node.pull(backup), /closed/)
  t.equal(node.host.timers, 0)
})

t.test('an entry that was committed before this disk has it is waited for', async (t) => {
  const node = nodeWith(3)
  const world = new World()
  node.append(node.state.time + 1, world.commands([], 0), false)
  const backup = node.begin()
  t.equal(backup.to, 4)
  t.equal(node.pull(backup)?.includes('Holdfast backup'), true)
  node.pull(backup)
  let said: Uint8Array | null = null
  backup.read((_, piece) => (said = piece))
  node.host.pass(100)
  t.equal(said, null)
  node.durable = asIndex(4)
  node.host.pass(30)
  t.not(said, null)
})

t.test('a log that gives way to a snapshot ends the backup, and nothing is damaged', async (t) => {
  for (const when of ['before the read', 'within the read']) {
    const node = nodeWith(5)
    const backup = node.begin()
    node.pull(backup)
    if (when === 'before the read') node.start = asIndex(3)
    else node.host.defer(() => (node.start = asIndex(3)))
    t.throws(() => node.pull(backup), when)
    t.equal(node.backups.holdsLogFrom, null)
    t.same(node.host.failures, [])
  }
})

t.test('entries that are not the ones that were written end the process', async (t) => {
  const node = nodeWith(5)
  node.falsify = (entry) => (entry.index === 3 ? { ...entry, time: asClusterTime(entry.time - 1) } : entry)
  t.throws(() => node.pullWhole(node.begin()), Ended)
  t.match(node.host.failures, [{ code: 'damaged' }])
})

t.test('a node that has neither a checkpoint nor the beginning of the log gives none', async (t) => {
  const node = nodeWith(5)
  node.start = asIndex(2)
  t.equal(node.backups.begin(node.lastIndex), 'stateMissing')
  t.equal(node.backups.holdsLogFrom, null)
})

t.test('a stop ends the backup that is under way', async (t) => {
  const node = nodeWith(5)
  const backup = node.begin()
  const said: (Error | null)[] = []
  node.pull(backup)
  backup.read((error) => said.push(error))
  node.backups.stop()
  t.match(said, [{ message: /closed/ }])
  node.host.settle()
  t.equal(said.length, 1)
})
