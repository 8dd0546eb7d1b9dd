import t from 'tap'
import { asClusterId, asClusterTime, asDigest, asIncarnation, asIndex, asNodeId, asTerm } from '../../src/ids.ts'
import type { SnapshotFrame, SnapshotReply } from '../../src/codec/snapshot-frame.ts'
import { SnapshotSender } from '../../src/node/snapshot-sender.ts'
import type { RecordBytes, StateStore, StateView } from '../../src/storage/state-store.ts'
import { ManualHost } from '../support/manual-host.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'

const [n2, n3] = [asNodeId('n2'), asNodeId('n3')]
const silenceMs = 15_000
const firstNumber = 1000

/** One record for every chunk that goes out. */
function record(number: number): RecordBytes {
  return { key: new Uint8Array([number]), value: new Uint8Array(300 * 1024) }
}

/** A sender over a state of so many chunks. Its views are read when a test says so. */
class Bench {
  readonly host = new ManualHost()
  readonly sent: string[] = []
  readonly ended: string[] = []
  readonly failed: string[] = []
  readonly state: StateStore
  openViews = 0
  term = 5
  breaks = false
  readonly sender: SnapshotSender
  #pending: (() => void)[] = []

  constructor(records: number | null) {
    const disk = new MemoryDisk({ schedule: (_, run) => this.#pending.push(run), random: () => 0 })
    const state = disk.openState()
    this.state = { ...bound(state), openView: () => this.#watch(state.openView()) }
    if (records !== null) this.checkpoint(state, records, 10)
    this.sender = new SnapshotSender(
      {
        host: this.host,
        state: this.state,
        clusterId: asClusterId('c'),
        currentTerm: () => asTerm(this.term),
        send: (to, frame) => this.sent.push(`${to}: ${textOf(frame)}`),
        ended: (to, index) => this.ended.push(`${to}: ${index}`),
        failed: (error) => this.failed.push(error.message),
      },
      firstNumber,
    )
  }

  checkpoint(state: StateStore, records: number, index: number): void {
    const writer = state.begin()
    for (let number = 1; number <= records; number++) writer.put(record(number))
    const at = { index: asIndex(index), term: asTerm(1), time: asClusterTime(0), chain: '' }
    const incarnations = { n1: asIncarnation('a') }
    writer.commit({ ...at, digest: asDigest(records), records, oldestBucket: 0, incarnations }, () => {})
    this.settle()
  }

  /** The reads that were begun are done. */
  settle(): void {
    for (const run of this.#pending.splice(0)) run()
  }

  /** As far as it goes without a word from anybody. */
  settleAll(): void {
    while (this.#pending.length > 0) this.settle()
  }

  reply(said: SnapshotReply['said'], number = 0, { from = n2, transfer = firstNumber + 1 } = {}): void {
    this.sender.onReply(from, { kind: 'snapshotReply', transfer, number, said })
    this.settleAll()
  }

  /** What was sent since the last look. */
  news(): string[] {
    return this.sent.splice(0)
  }

  #watch(view: StateView | null): StateView | null {
    if (view === null) return null
    this.openViews++
    const close = () => {
      this.openViews--
      view.close()
    }
    const read: StateView['read'] = (bytesMax, done) =>
      view.read(bytesMax, (error, records, isLast) => done(this.breaks ? new Error('torn') : error, records, isLast))
    return { checkpoint: view.checkpoint, read, close }
  }
}

function bound(state: StateStore): StateStore {
  return {
    stored: state.stored,
    nextGeneration: state.nextGeneration,
    load: (take, done) => state.load(take, done),
    begin: () => state.begin(),
    openView: () => state.openView(),
    install: (generation) => state.install(generation),
    close: () => state.close(),
  }
}

function textOf(frame: SnapshotFrame): string {
  switch (frame.kind) {
    case 'snapshotOffer':
      return `offer ${frame.transfer} of ${frame.checkpoint.index} in term ${frame.term}`
    case 'snapshotChunk':
      return `chunk ${frame.number} of ${frame.transfer}: ${frame.records.map(({ key }) => key[0]).join()}`
    case 'snapshotEnd':
      return `end of ${frame.transfer} after ${frame.chunks}`
    default:
      return frame.kind
  }
}

t.test('a snapshot is offered first, and sent when the receiver has said that it takes it', async (t) => {
  const bench = new Bench(2)
  bench.sender.begin(n2)
  bench.settleAll()
  t.same(bench.news(), ['n2: offer 1001 of 10 in term 5'])
  bench.reply('taken', 0)
  t.same(bench.news(), ['n2: chunk 1 of 1001: 1', 'n2: chunk 2 of 1001: 2', 'n2: end of 1001 after 2'])
  t.same(bench.ended, [])
  bench.reply('installed', 2)
  t.same(bench.ended, ['n2: 10'])
  t.equal(bench.openViews, 0)
  t.equal(bench.sender.sending(n2), null)
  t.equal(bench.sender.sent, 1)
})

t.test('four chunks at most are under way', async (t) => {
  const bench = new Bench(7)
  bench.sender.begin(n2)
  bench.reply('taken', 0)
  t.equal(bench.news().length, 1 + 4)
  bench.reply('taken', 0)
  t.same(bench.news(), [], 'nothing more was taken')
  bench.reply('taken', 2)
  t.same(bench.news(), ['n2: chunk 5 of 1001: 5', 'n2: chunk 6 of 1001: 6'])
  bench.reply('taken', 6)
  t.same(bench.news(), ['n2: chunk 7 of 1001: 7', 'n2: end of 1001 after 7'])
  bench.reply('taken', 7)
  t.same(bench.news(), [])
})

t.test('a receiver that says it has taken what was never sent moves nothing beyond', async (t) => {
  const bench = new Bench(9)
  bench.sender.begin(n2)
  bench.reply('taken', 0)
  bench.news()
  bench.reply('taken', 1_000_000)
  t.equal(bench.news().length, 4, 'the window begins behind what was sent')
  bench.reply('taken', 3)
  t.same(bench.news(), [], 'and never goes back')
})

t.test('without a checkpoint there is nothing to send, and the transfer is over', async (t) => {
  const bench = new Bench(null)
  bench.sender.begin(n2)
  t.same(bench.ended, ['n2: null'])
  t.same(bench.news(), [])
})

t.test('an empty state is an offer and an end', async (t) => {
  const bench = new Bench(0)
  bench.sender.begin(n2)
  bench.reply('taken', 0)
  t.same(bench.news(), ['n2: offer 1001 of 10 in term 5', 'n2: end of 1001 after 0'])
})

t.test('a receiver that has it already, or wants it not, ends the transfer', async (t) => {
  const bench = new Bench(2)
  bench.sender.begin(n2)
  bench.reply('installed')
  t.same(bench.ended, ['n2: 10'], 'it goes on with entries behind it')
  bench.sender.begin(n2)
  bench.reply('refused', 0, { transfer: firstNumber + 2 })
  t.same(bench.ended, ['n2: 10', 'n2: null'])
  t.equal(bench.openViews, 0)
  bench.settleAll()
  t.equal(bench.sender.sent, 1)
})

t.test('what is said to a transfer that is over, or by somebody else, is nothing', async (t) => {
  const bench = new Bench(2)
  bench.sender.begin(n2)
  bench.sender.begin(n2)
  bench.news()
  bench.reply('installed', 2, { transfer: firstNumber + 1 })
  bench.reply('taken', 0, { transfer: firstNumber + 1 })
  bench.reply('taken', 0, { from: n3, transfer: firstNumber + 2 })
  t.same([bench.news(), bench.ended], [[], []])
  t.equal(bench.openViews, 1, 'the view of the first is closed')
  bench.reply('taken', 0, { transfer: firstNumber + 2 })
  t.equal(bench.news().length, 3)
})

t.test('a read that comes back when its transfer is over sends nothing', async (t) => {
  const bench = new Bench(3)
  bench.sender.begin(n2)
  bench.sender.onReply(n2, { kind: 'snapshotReply', transfer: firstNumber + 1, number: 0, said: 'taken' })
  bench.sender.linkChanged(n2)
  bench.news()
  bench.breaks = true
  bench.settleAll()
  t.same([bench.news(), bench.failed], [[], []])
  t.same(bench.ended, ['n2: null'])
})

t.test('a new link to the receiver ends the transfer; one to another does not', async (t) => {
  const bench = new Bench(3)
  bench.sender.begin(n2)
  bench.sender.linkChanged(n3)
  t.same(bench.ended, [])
  bench.sender.linkChanged(n2)
  bench.sender.linkChanged(n2)
  t.same(bench.ended, ['n2: null'], 'once')
})

t.test('a receiver that says nothing for long ends the transfer; every word of it counts', async (t) => {
  const bench = new Bench(3)
  bench.sender.begin(n2)
  bench.host.pass(silenceMs - 1)
  bench.sender.expire(bench.host.now())
  bench.reply('taken', 0)
  bench.host.pass(silenceMs - 1)
  bench.sender.expire(bench.host.now())
  t.same(bench.ended, [])
  bench.host.pass(1)
  bench.sender.expire(bench.host.now())
  t.same(bench.ended, ['n2: null'])
  t.equal(bench.openViews, 0)
})

t.test('who leads no more stops sending, and nobody waits to hear of it', async (t) => {
  const bench = new Bench(3)
  bench.sender.begin(n2)
  bench.sender.begin(n3)
  bench.sender.stop()
  t.same(bench.ended, [])
  t.equal(bench.openViews, 0)
  t.equal(bench.sender.holdsFrom, null)
})

t.test('H36 the log is held behind the oldest snapshot that is being sent', async (t) => {
  const bench = new Bench(1)
  t.equal(bench.sender.holdsFrom, null)
  bench.sender.begin(n2)
  bench.checkpoint(bench.state, 1, 20)
  bench.sender.begin(n3)
  t.equal(bench.sender.holdsFrom, asIndex(10))
  t.equal(bench.sender.sending(n3)?.index, 20)
  bench.sender.begin(n2)
  t.equal(bench.sender.holdsFrom, asIndex(20), 'a new beginning is of the newest')
})

t.test('a state that cannot be read ends the process', async (t) => {
  const bench = new Bench(1)
  bench.sender.begin(n2)
  bench.breaks = true
  bench.reply('taken', 0)
  t.same(bench.failed, ['torn'])
})

t.test('two members are sent to side by side, each at its own pace', async (t) => {
  const bench = new Bench(6)
  for (const to of [n2, n3]) bench.sender.begin(to)
  bench.reply('taken', 0)
  t.equal(bench.news().filter((line) => line.startsWith('n3')).length, 1, 'the offer')
  bench.reply('taken', 0, { from: n3, transfer: firstNumber + 2 })
  t.equal(bench.news().length, 4)
})
