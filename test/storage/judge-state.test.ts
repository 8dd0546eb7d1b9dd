// What log and state are together when a node starts (DESIGN 6).
import t from 'tap'
import { asClusterTime, asIndex, asTerm } from '../../src/ids.ts'
import { judgeChain, judgeState } from '../../src/storage/identity.ts'
import { DamagedError, type Installing, type StoredLog } from '../../src/storage/log-store.ts'
import { type Checkpoint, DamagedStateError, type StoredState } from '../../src/storage/state-store.ts'
import { someHardState, someMeta, someTip } from './builders.ts'
import { checkpointOf } from './state-builders.ts'

/** Behind entry 10 of term 2; entries 11 to 15 are of term 2, those from 16 on of term 3. */
function someLog(fields: Partial<StoredLog> = {}): StoredLog {
  return {
    meta: someMeta,
    hardState: someHardState(3),
    start: { index: asIndex(10), term: asTerm(2), time: asClusterTime(100) },
    firstIndex: asIndex(11),
    lastIndex: asIndex(20),
    lastTime: asClusterTime(200),
    spans: [
      { term: asTerm(2), firstIndex: asIndex(11) },
      { term: asTerm(3), firstIndex: asIndex(16) },
    ],
    notes: [],
    installing: null,
    peers: [],
    ...fields,
  }
}

const wholeLog = someLog({
  start: { index: asIndex(0), term: asTerm(0), time: asClusterTime(0) },
  spans: [{ term: asTerm(2), firstIndex: asIndex(1) }],
})

function someState(generation: number, index: number | null, fields: Partial<Checkpoint> = {}): StoredState {
  if (index === null) return { generation, checkpoint: null }
  return { generation, checkpoint: checkpointOf(new Map(), { index: asIndex(index), ...fields }) }
}

const mark: Installing = { ...someTip, index: asIndex(50), generation: 3 }

t.test('a state whose checkpoint is in the log, or where it begins, goes with it', async (t) => {
  t.same(judgeState('n1', wholeLog, someState(0, null)), { kind: 'ok' }, 'nothing was ever trimmed')
  for (const index of [10, 11, 15]) t.same(judgeState('n1', someLog(), someState(2, index)), { kind: 'ok' }, `${index}`)
  t.same(judgeState('n1', someLog(), someState(2, 20, { term: asTerm(3) })), { kind: 'ok' })
})

t.test('a log that begins later needs a snapshot when there is no state', async (t) => {
  t.same(judgeState('n1', someLog(), someState(0, null)), { kind: 'noState' })
})

t.test('H30 a state ahead of its log, without the mark of an install, is a log that lost entries', async (t) => {
  for (const log of [someLog(), someLog({ installing: { ...mark, generation: 9 } })]) {
    t.throws(() => judgeState('n1', log, someState(2, 21, { term: asTerm(3) })), {
      name: 'DamagedError',
      message: /state is that after entry 21, but the log ends with 20.*must neither vote/s,
    })
  }
})

t.test('a log that begins behind its state is damage of the state alone', async (t) => {
  t.throws(() => judgeState('n1', someLog(), someState(2, 9)), {
    name: 'DamagedStateError',
    message: /checkpoint is of entry 9, but the log begins behind 10.*Only checkpoints are lost/s,
  })
})

t.test('another entry in the log than the one of the checkpoint is damage', async (t) => {
  for (const [index, term] of [
    [10, 3],
    [15, 3],
    [16, 2],
  ] as const) {
    const judge = (): object => judgeState('n1', someLog(), someState(2, index, { term: asTerm(term) }))
    t.throws(judge, { name: 'DamagedError', message: new RegExp(`entry ${index} has term`) })
  }
  const checkpoint = checkpointOf(new Map())
  judgeChain('n1', checkpoint, checkpoint.chain)
  t.throws(() => judgeChain('n1', checkpoint, 'cd'.repeat(16)), { name: 'DamagedError', message: /another entry 10/ })
})

t.test('H30 a mark beside the new generation is an install to be finished', async (t) => {
  const log = someLog({ installing: mark })
  t.same(judgeState('n1', log, someState(3, 50, { chain: mark.chain })), { kind: 'finishInstall' })
  for (const state of [someState(3, 51), someState(3, 50, { chain: 'cd'.repeat(16) }), someState(3, null)]) {
    t.throws(() => judgeState('n1', log, state), DamagedStateError, 'it is not what was marked')
  }
})

t.test('H30 a mark beside the old generation is an install to be discarded', async (t) => {
  const log = someLog({ installing: mark })
  t.same(judgeState('n1', log, someState(2, 12)), { kind: 'discardInstall', hasState: true })
  t.same(judgeState('n1', log, someState(0, null)), { kind: 'discardInstall', hasState: false })
  t.throws(() => judgeState('n1', log, someState(2, 9)), DamagedStateError, 'which must be right itself')
})

t.test('a generation that the log knows nothing of is a log that lost writes', async (t) => {
  const judge = (): object => judgeState('n1', someLog({ installing: mark }), someState(4, 12))
  t.throws(judge, { name: 'DamagedError', message: /generation 4, the log of 3/ })
  t.throws(judge, DamagedError)
})
