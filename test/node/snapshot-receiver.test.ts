import t from 'tap'
import { encodeRecord, hashRecord, voidKeys } from '../../src/codec/record.ts'
import type { SnapshotReply } from '../../src/codec/snapshot-frame.ts'
import { asClusterId, asDigest, asIndex, asNodeId, asTerm } from '../../src/ids.ts'
import { defaultLimits } from '../../src/lockfsm/state.ts'
import { toRecords } from '../../src/lockfsm/records.ts'
import { LoadingState } from '../../src/node/loading-state.ts'
import { SnapshotReceiver } from '../../src/node/snapshot-receiver.ts'
import type { Received } from '../../src/node/snapshot-receiver.ts'
import type { Installing } from '../../src/storage/log-store.ts'
import type {
  Checkpoint,
  InstallVerdict,
  RecordBytes,
  StateInstall,
  StateStore,
} from '../../src/storage/state-store.ts'
import { ManualHost } from '../support/manual-host.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { checkpointOf, hold, lockTable, recordsOf, textOf } from './lock-tables.ts'

const [n2, n3] = [asNodeId('n2'), asNodeId('n3')]
const cluster = asClusterId('c')
const silenceMs = 30_000
const table = lockTable(5)
const records = recordsOf(table)
const whole = checkpointOf(records, { index: asIndex(99), term: asTerm(2) })

/** A receiver on a disk whose writes, and marks in the log, are done when a test says so. */
class Bench {
  readonly host = new ManualHost()
  readonly replies: string[] = []
  readonly failed: string[] = []
  readonly received: Received[] = []
  /** As they were stored in the log. */
  readonly marks: (Installing | null)[] = []
  commitIndex = 0
  /** What the disk finds in place of the truth. */
  verdict: InstallVerdict | null = null
  readonly disk: MemoryDisk
  readonly state: StateStore
  readonly receiver: SnapshotReceiver
  #pending: (() => void)[] = []

  constructor() {
    const rules = { hashRecord, voidKeys }
    this.disk = new MemoryDisk({ schedule: (_, run) => this.#pending.push(run), random: () => 0, rules })
    this.state = this.disk.openState()
    this.receiver = new SnapshotReceiver({
      host: this.host,
      state: this.#judging(this.state),
      clusterId: cluster,
      isNews: ({ index }) => index > this.commitIndex,
      newLoading: ({ oldestBucket }) => new LoadingState(this.host, defaultLimits, oldestBucket),
      mark: (installing, stored) =>
        this.#pending.push(() => {
          this.marks.push(installing)
          stored()
        }),
      send: (to, frame) => {
        if (frame.kind === 'snapshotReply') this.replies.push(`${to}: ${textOfReply(frame)}`)
      },
      received: (received) => this.received.push(received),
      failed: (error) => this.failed.push(error.message),
    })
  }

  #judging(state: StateStore): StateStore {
    return {
      stored: state.stored,
      get nextGeneration() {
        return state.nextGeneration
      },
      load: (take, done) => state.load(take, done),
      begin: () => state.begin(),
      openView: () => state.openView(),
      install: (generation) => {
        const install = state.install(generation)
        const finish: StateInstall['finish'] = (checkpoint, done) =>
          install.finish(checkpoint, (error, verdict) => done(error, this.verdict ?? verdict))
        return { ...install, finish }
      },
      close: () => state.close(),
    }
  }

  /** What the disk was asked for is done, and what followed from it. */
  settle(): void {
    while (this.#pending.length > 0) {
      for (const run of this.#pending.splice(0)) run()
      this.host.settle()
    }
    this.host.settle()
  }

  offer({ transfer = 1, from = n2, clusterId = cluster, checkpoint = whole, term = 3 } = {}): void {
    this.receiver.onOffer(from, { kind: 'snapshotOffer', transfer, clusterId, term: asTerm(term), checkpoint })
  }

  chunk(number: number, part: readonly RecordBytes[], { transfer = 1, from = n2 } = {}): void {
    this.receiver.onChunk(from, { kind: 'snapshotChunk', transfer, number, records: part })
  }

  end(chunks: number, { transfer = 1, from = n2 } = {}): void {
    this.receiver.onEnd(from, { kind: 'snapshotEnd', transfer, chunks })
  }

  /** A whole transfer of these records as that checkpoint, up to the verdict. */
  takeIn(sent: readonly RecordBytes[], checkpoint: Checkpoint, transfer = 1): void {
    this.offer({ transfer, checkpoint })
    this.settle()
    this.chunk(1, sent, { transfer })
    this.end(1, { transfer })
    this.settle()
  }

  /** What was said since the last look. */
  news(): string[] {
    return this.replies.splice(0)
  }
}

function textOfReply({ transfer, number, said }: SnapshotReply): string {
  return `${said} ${transfer}/${number}`
}

t.test('a snapshot is marked in the log, written, verified, and then the core decides', async (t) => {
  const bench = new Bench()
  bench.offer()
  t.same(bench.news(), [], 'not before the mark is durable')
  bench.settle()
  t.same(bench.news(), ['n2: taken 1/0'])
  const { index, term, time, chain } = whole
  t.same(bench.marks, [{ index, term, time, chain, generation: 1 }])
  bench.chunk(1, records.slice(0, 3))
  bench.chunk(2, records.slice(3))
  t.same(bench.news(), [], 'not before they are with the disk')
  bench.settle()
  t.same(bench.news(), ['n2: taken 1/1', 'n2: taken 1/2'])
  bench.end(2)
  bench.settle()
  t.same(bench.news(), [])
  const [received] = bench.received
  t.match(received, { checkpoint: whole, senderTerm: 3 })
  t.equal(received === undefined ? '' : textOf(received.loaded.lock), textOf(table))
  t.match(received?.loaded.tally, { digest: whole.digest, records: whole.records })
  t.equal(bench.state.stored.checkpoint, null, 'the state before is the current one as long as the core says nothing')

  bench.receiver.decided(true)
  t.same(bench.news(), [])
  bench.receiver.durable()
  t.same(bench.news(), ['n2: installed 1/0'])
  t.equal(bench.receiver.installed, 1)
  t.equal(bench.receiver.isBusy, false)
})

t.test('what the core does not need is discarded and the mark taken away; the sender goes on behind it', async (t) => {
  const bench = new Bench()
  bench.takeIn(records, whole)
  bench.news()
  bench.receiver.decided(false)
  t.same(bench.news(), ['n2: installed 1/0'])
  t.equal(bench.receiver.isBusy, true, 'until everything is cleared away')
  bench.settle()
  t.equal(bench.marks.at(-1), null)
  t.equal(bench.receiver.isBusy, false)
  t.equal(bench.receiver.installed, 0)
})

t.test('a snapshot of another cluster, or that is no news, is never begun', async (t) => {
  const bench = new Bench()
  bench.offer({ clusterId: asClusterId('other') })
  t.same(bench.news(), ['n2: refused 1/0'])
  bench.commitIndex = 99
  bench.offer()
  t.same(bench.news(), ['n2: installed 1/0'])
  bench.settle()
  t.same(bench.marks, [])
})

t.test('chunks that are missing, repeated or come after the end are the end of a transfer', async (t) => {
  for (const numbers of [[2], [1, 3], [1, 1], [0]]) {
    const bench = new Bench()
    bench.offer()
    bench.settle()
    for (const number of numbers) bench.chunk(number, [])
    t.same(bench.news().at(-1), 'n2: refused 1/0', numbers.join())
    bench.settle()
    t.equal(bench.marks.at(-1), null)
    t.same(bench.received, [])
  }
  const bench = new Bench()
  bench.offer()
  bench.settle()
  bench.chunk(1, records)
  bench.end(1)
  bench.chunk(2, [])
  bench.settle()
  t.same(bench.news().slice(-1), ['n2: refused 1/0'])
  t.same(bench.received, [], 'also when the rest was right')
  t.same(bench.failed, [])
})

t.test('a wrong number of chunks, of records, or another digest is refused', async (t) => {
  const lies: Partial<Checkpoint>[] = [
    { records: whole.records + 1 },
    { records: 0 },
    { digest: asDigest(whole.digest === 0 ? 1 : whole.digest - 1) },
  ]
  for (const lie of lies) {
    const bench = new Bench()
    bench.takeIn(records, { ...whole, ...lie })
    t.same(bench.news().at(-1), 'n2: refused 1/0')
    t.same([bench.received, bench.failed], [[], []])
    t.equal(bench.marks.at(-1), null)
  }
  const bench = new Bench()
  bench.offer()
  bench.settle()
  bench.chunk(1, records)
  bench.end(2)
  t.same(bench.news().at(-1), 'n2: refused 1/0', 'two chunks were sent, it says')
})

t.test('what the disk read back is not what was sent: that is refused, though all that came was right', async (t) => {
  const bench = new Bench()
  bench.verdict = 'mismatch'
  bench.takeIn(records, whole)
  t.same(bench.news().at(-1), 'n2: refused 1/0')
  t.same([bench.received, bench.failed], [[], []])
})

t.test('records that are none end the transfer and nothing else', async (t) => {
  for (const damaged of [
    { key: new Uint8Array([99]), value: new Uint8Array(0) },
    { key: new Uint8Array(0), value: new Uint8Array(0) },
    { key: new Uint8Array([1]), value: new Uint8Array([0xc1]) },
  ]) {
    const bench = new Bench()
    bench.offer()
    bench.settle()
    bench.chunk(1, [...records, damaged])
    t.same(bench.news().at(-1), 'n2: refused 1/0')
    t.same(bench.failed, [])
  }
})

t.test('records that contradict each other end the transfer, though count and digest are right', async (t) => {
  const another = lockTable(5)
  hold(another, 'lock-6')
  const [grant] = [...toRecords(another)].filter((record) => record.kind === 'request' && record.lock === 'lock-6')
  if (grant?.kind !== 'request') throw new Error('it is held')
  const [first] = [...toRecords(table)].filter((record) => record.kind === 'request')
  if (first?.kind !== 'request') throw new Error('it is held')
  const contradictory: Readonly<Record<string, readonly RecordBytes[]>> = {
    'two holders of a lock': [...records, encodeRecord({ ...grant, lock: first.lock })],
    'a request of a session that is not there': records.filter(({ key }) => key[0] !== 3),
    'no counters': records.filter(({ key }) => key[0] !== 1),
    nothing: [],
  }
  for (const [what, sent] of Object.entries(contradictory)) {
    const bench = new Bench()
    bench.takeIn(sent, checkpointOf(sent))
    t.same(bench.news().at(-1), 'n2: refused 1/0', what)
    t.same([bench.received, bench.failed], [[], []], what)
    bench.settle()
    t.equal(bench.receiver.isBusy, false, what)
  }
})

t.test('after a transfer that was given up the next begins, under another generation', async (t) => {
  const bench = new Bench()
  bench.takeIn(records.slice(1), whole)
  bench.news()
  bench.takeIn(records, whole, 2)
  t.same(bench.news(), ['n2: taken 2/0', 'n2: taken 2/1'])
  t.equal(bench.received.length, 1)
  t.same(
    bench.marks.map((mark) => mark?.generation ?? null),
    [1, null, 2],
  )
})

t.test('while one that was given up is cleared away none begins', async (t) => {
  const bench = new Bench()
  bench.offer()
  bench.settle()
  bench.chunk(7, [])
  bench.news()
  bench.offer({ transfer: 2 })
  t.same(bench.news(), ['n2: refused 2/0'])
  bench.settle()
  bench.offer({ transfer: 3 })
  bench.settle()
  t.same(bench.news(), ['n2: taken 3/0'])
})

t.test(
  'a newer offer takes the place of a transfer that is under way, and not of one that has come whole',
  async (t) => {
    const bench = new Bench()
    bench.offer()
    bench.offer({ transfer: 2, from: n3 })
    t.same(bench.news(), ['n3: refused 2/0'], 'the mark is being written')
    bench.settle()
    bench.offer({ transfer: 3, from: n3 })
    t.same(bench.news(), ['n2: taken 1/0', 'n2: refused 1/0', 'n3: refused 3/0'], 'what there is is cleared away first')
    bench.settle()
    bench.offer({ transfer: 4, from: n3 })
    bench.settle()
    t.same(bench.news(), ['n3: taken 4/0'])
    bench.chunk(1, records, { transfer: 4, from: n3 })
    bench.end(1, { transfer: 4, from: n3 })
    bench.offer({ transfer: 5 })
    bench.settle()
    t.same(bench.news(), ['n2: refused 5/0', 'n3: taken 4/1'])
    t.equal(bench.received.length, 1)
  },
)

t.test('what belongs to another transfer, or comes from another, is nothing', async (t) => {
  const bench = new Bench()
  bench.offer()
  bench.chunk(1, records)
  bench.settle()
  bench.news()
  bench.chunk(1, records, { transfer: 9 })
  bench.chunk(1, records, { from: n3 })
  bench.end(0, { transfer: 9 })
  bench.settle()
  t.same(bench.news(), [])
  bench.chunk(1, records)
  bench.end(1)
  bench.end(1)
  bench.settle()
  t.same(bench.news(), ['n2: taken 1/1'])
  t.equal(bench.received.length, 1, 'an end that is repeated is one')
})

t.test('a sender that says nothing for long is given up; one that has sent all is not', async (t) => {
  const bench = new Bench()
  bench.offer()
  bench.settle()
  bench.host.pass(silenceMs - 1)
  bench.receiver.expire(bench.host.now())
  bench.chunk(1, records)
  bench.settle()
  bench.host.pass(silenceMs - 1)
  bench.receiver.expire(bench.host.now())
  t.equal(bench.news().at(-1), 'n2: taken 1/1')
  bench.host.pass(1)
  bench.receiver.expire(bench.host.now())
  t.equal(bench.news().at(-1), 'n2: refused 1/0')
  bench.settle()
  bench.takeIn(records, whole, 2)
  bench.host.pass(2 * silenceMs)
  bench.receiver.expire(bench.host.now())
  t.equal(bench.news().includes('n2: refused 2/0'), false, 'what follows is ours alone')
  t.equal(bench.receiver.isBusy, true)
})

t.test('a crash at any moment before the core decides leaves the state of before', async (t) => {
  for (let steps = 0; steps < 5; steps++) {
    const bench = new Bench()
    const acts = [
      () => bench.offer(),
      () => bench.settle(),
      () => bench.chunk(1, records),
      () => bench.end(1),
      () => bench.settle(),
    ]
    for (const act of acts.slice(0, steps + 1)) act()
    bench.disk.crash()
    t.same(bench.disk.openState().stored, { generation: 0, checkpoint: null })
  }
})

t.test('when the disks are to be closed nothing more is asked of them, nor said', async (t) => {
  const bench = new Bench()
  bench.offer()
  bench.receiver.stop()
  bench.settle()
  t.same(bench.news(), [])
  bench.offer({ transfer: 2 })
  bench.settle()
  t.same(bench.news(), [])
  t.equal(bench.marks.length, 1)
})

t.test('a write that fails ends the process', async (t) => {
  const bench = new Bench()
  bench.offer()
  bench.settle()
  bench.disk.failNextWrite(new Error('no space'))
  bench.chunk(1, records)
  bench.settle()
  t.same(bench.failed, ['no space'])
  t.same(bench.news(), ['n2: taken 1/0'])
})
