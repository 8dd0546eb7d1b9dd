import t from 'tap'
import type { RecordChange } from '../../src/lockfsm/changes.ts'
import { changedCount, cutChanges } from '../../src/lockfsm/cut.ts'
import type { Cut } from '../../src/lockfsm/cut.ts'
import { Table } from './table.ts'

const day = 86_400_000

function takeAll(cut: Cut): readonly RecordChange[] {
  const all: RecordChange[] = []
  for (;;) {
    const taken = cut.take(2)
    if (taken.length === 0) return all
    all.push(...taken)
  }
}

/** What a cut tells besides counters and node runs. */
function told(changes: readonly RecordChange[]): readonly string[] {
  const texts = changes.map((change) =>
    change.kind === 'dropBucket' ? `dropBucket ${change.bucket}` : `${change.kind} ${change.record.kind}`,
  )
  return texts.filter((text) => !/counters|nodeRun/.test(text)).sort()
}

const cut = (table: Table): readonly string[] => told(takeAll(cutChanges(table.state)))

t.test('counters and node runs are in every cut, and nothing else when nothing has happened', async (t) => {
  const table = new Table()
  table.open(day)
  cut(table)
  const changes = takeAll(cutChanges(table.state))
  t.same(
    changes.map((change) => change.kind === 'put' && change.record.kind),
    ['counters', 'nodeRun'],
  )
  t.equal(changedCount(table.state), 0)
})

t.test('what was born and has ended since the last cut is told no more, only what is remembered of it', async (t) => {
  const table = new Table()
  table.release(table.hold({ lock: 'y' }).token, { lock: 'y' })
  const session = table.open(day)
  table.acquire({ session, requestId: 'tries' })
  table.close(session)
  t.equal(changedCount(table.state), 4)
  t.same(cut(table), ['put endedToken', 'put releasedToken', 'put rememberedOpening', 'put rememberedRequest'])
})

t.test('a record that changes before it was read out is told as it was, and as it is by the next cut', async (t) => {
  const table = new Table()
  const session = table.open(10_000)
  const first = cutChanges(table.state)
  table.at(5_000)
  table.renew(session)
  t.match(
    takeAll(first).find((change) => change.kind === 'put' && change.record.kind === 'session'),
    { record: { deadline: 10_000, claimed: false } },
  )
  t.match(
    takeAll(cutChanges(table.state)).find((change) => change.kind === 'put' && change.record.kind === 'session'),
    { record: { deadline: 15_000, claimed: true } },
  )
})

t.test('a record that ends before it was read out is told as it was, and removed by the next cut', async (t) => {
  const table = new Table()
  const { token } = table.hold()
  const first = cutChanges(table.state)
  table.release(token)
  const [put] = takeAll(first).filter((change) => change.kind === 'put' && change.record.kind === 'request')
  t.match(put, { record: { token } })
  if (put?.kind !== 'put' || put.owner === null) throw new Error('a request has an owner')
  put.owner.digested = 7
  t.match(
    takeAll(cutChanges(table.state)).find(({ kind }) => kind === 'remove'),
    { record: { kind: 'request', sequence: 1 }, owner: { digested: 7 }, was: null },
  )
})

t.test('a call that attends for a moment only changes a record that waits to be read out, too', async (t) => {
  const table = new Table()
  table.hold({ ttlMs: day })
  const call = table.acquire({ requestId: 'waits', waitMs: day })
  table.withdraw(call, 'waits')
  const first = cutChanges(table.state)
  table.at(1_500)
  table.acquire({ requestId: 'waits', waitMs: 0 })
  t.match(
    takeAll(first).find((change) => change.kind === 'put' && change.record.kind === 'request' && !change.record.token),
    { record: { requestId: 'waits', giveBackAt: 2_000 } },
  )
})

t.test('what is done while a cut is read out is not in it', async (t) => {
  const table = new Table()
  const session = table.open(day)
  const first = cutChanges(table.state)
  table.hold({ session })
  t.same(told(takeAll(first)), ['put session'])
  t.same(cut(table), ['put request', 'put session'], 'which the acquire has claimed')
})

t.test('a cut is taken whole before the next is made', async (t) => {
  const table = new Table()
  const first = cutChanges(table.state)
  first.take(1)
  t.throws(() => cutChanges(table.state), { name: 'AssertionFailure' })
  takeAll(first)
  t.same(cut(table), [])
  t.same(first.take(5), [], 'nothing is left in the first')
})

t.test(
  'memories that go with their session are removed one by one, those of after the last cut never told',
  async (t) => {
    const table = new Table()
    const session = table.open(day)
    table.release(table.hold({ session, requestId: 'early' }).token, { session })
    t.same(cut(table), ['put releasedToken', 'put rememberedRequest', 'put session'])
    table.release(table.hold({ session, requestId: 'late' }).token, { session })
    table.close(session)
    const changes = takeAll(cutChanges(table.state))
    t.same(told(changes), ['put releasedToken', 'put rememberedOpening', 'remove rememberedRequest', 'remove session'])
    const removed = changes.find((change) => change.kind === 'remove' && change.record.kind === 'rememberedRequest')
    t.match(removed, { owner: null, was: { requestId: 'early', how: 'released', token: 1, bucket: 0, session } })
  },
)

t.test('of a dropped bucket only that is told, also when some of it went or came since the last cut', async (t) => {
  const table = new Table()
  const session = table.open(day)
  table.release(table.hold({ session }).token)
  cut(table)
  table.release(table.hold({ session }).token)
  table.close(session)
  table.at(70_000)
  const next = cutChanges(table.state)
  t.equal(next.oldestBucket, 1)
  t.same(told(takeAll(next)), ['dropBucket 0', 'remove session'])
})

t.test('ended tokens over the limit are removed, unless they came since the last cut', async (t) => {
  const table = new Table({ endedTokensMax: 2 })
  const expire = (): void => {
    table.hold({ lock: 'y', ttlMs: 1_000 })
    table.at(table.state.time + 1_000)
  }
  expire()
  cut(table)
  for (let index = 0; index < 4; index += 1) expire()
  const changes = takeAll(cutChanges(table.state))
  const ofTokens = changes.flatMap((change) =>
    change.kind !== 'dropBucket' && change.record.kind === 'endedToken' ? [[change.kind, change.record.ordinal]] : [],
  )
  t.same(ofTokens, [
    ['put', 4],
    ['put', 5],
    ['remove', 1],
  ])
})
