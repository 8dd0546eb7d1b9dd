// What a node may say of a call, and what its client is told: the outcomes that a healthy node does not bring about.
import t from 'tap'
import { asIndex, asLockName, asRequestId, asSequence, asSessionId, asToken } from '../../src/ids.ts'
import { createLog } from '../../src/http/log.ts'
import type { Refusal } from '../../src/lockfsm/outcome.ts'
import type { Answer } from '../../src/node/calls.ts'
import type { ReadRequest } from '../../src/node/read-rounds.ts'
import type { ReplaceResult } from '../../src/node/replacements.ts'
import { acquire, eventually, get, isProblem, lockPath, post, remove } from './calling.ts'
import { serveReplica } from './one-member.ts'
import type { ErrorCode } from '../../src/http/errors.ts'

let answer: Answer = { kind: 'unknown' }
const app = await serveReplica({
  call: (request) => {
    request.answer(answer)
    return () => t.fail('an answered call is not abandoned')
  },
  read: (request) => request.noLeader(),
})
t.teardown(() => app.close())

const requestId = 'r-0123456789abcdef'
const outcome = (result: Extract<Answer, { kind: 'outcome' }>['result']): Answer => ({
  kind: 'outcome',
  index: asIndex(42),
  result,
})
const refusal = (refused: Refusal): Answer => outcome({ kind: 'refused', ...refused })

t.test(
  'what certainly was not done, and what may have been, are told apart, with the id to repeat it by',
  async (t) => {
    answer = { kind: 'noLeader' }
    isProblem(t, await acquire(app, 'a', { requestId }), 'no_leader', { requestId })
    isProblem(t, await post(app, '/v1/sessions', { requestId }), 'no_leader', { requestId })
    isProblem(t, await remove(app, '/v1/sessions/s-1'), 'no_leader')
    answer = { kind: 'overloaded' }
    isProblem(t, await acquire(app, 'a', { requestId }), 'overloaded', { requestId })
    answer = { kind: 'diskLow' }
    isProblem(t, await acquire(app, 'a', { requestId }), 'disk_low', { requestId })
    answer = { kind: 'unknown' }
    isProblem(t, await acquire(app, 'a', { requestId }), 'outcome_unknown', { requestId })
    isProblem(t, await post(app, lockPath('a', 'release'), { token: 1 }), 'outcome_unknown', { requestId: undefined })
  },
)

t.test('the id that the server made is told with the unknown outcome', async (t) => {
  answer = { kind: 'unknown' }
  isProblem(t, await acquire(app, 'a'), 'outcome_unknown', { requestId: /^r-[0-9a-f-]{36}$/ })
})

t.test('an attempt that was taken out of a request without a session knows nothing of its fate', async (t) => {
  answer = outcome({ kind: 'detached', requestId: asRequestId(requestId) })
  const detached = await acquire(app, 'a', { requestId })
  isProblem(t, detached, 'outcome_unknown', { requestId })
  t.equal(detached.headers['holdfast-index'], '42')
})

t.test('one that was taken out of a request with a session is told its place', async (t) => {
  const place = { sequence: asSequence(5), position: 2, queueLength: 3 }
  answer = outcome({
    kind: 'stillWaiting',
    lock: asLockName('a'),
    session: asSessionId('s-1'),
    requestId: asRequestId('x'),
    ...place,
  })
  const { status, body } = await acquire(app, 'a', { session: 's-1', requestId: 'x', waitMs: 1000 })
  t.equal(status, 202)
  t.same(body, { lock: 'a', session: 's-1', requestId: 'x', ...place })
})

const holder = {
  session: null,
  owner: 'o',
  mode: 'exclusive',
  token: asToken(8),
  sequence: asSequence(9),
  heldMs: 10,
  expiresInMs: 11,
  metadata: '{"a":1}',
} as const
const id = asRequestId(requestId)
const refusals: readonly (readonly [ErrorCode, Refusal, Readonly<Record<string, unknown>>])[] = [
  ['session_unknown', { code: 'session_unknown', session: asSessionId('s-1') }, { session: 's-1' }],
  ['session_ended', { code: 'session_ended', session: asSessionId('s-1') }, { session: 's-1' }],
  [
    'lock_held',
    { code: 'lock_held', requestId: id, holders: [holder], queueLength: 3 },
    { requestId, holders: [{ ...holder, metadata: { a: 1 } }], queueLength: 3 },
  ],
  [
    'wait_timeout',
    { code: 'wait_timeout', requestId: id, holders: [], queueLength: 0 },
    { requestId, holders: [], queueLength: 0 },
  ],
  [
    'already_released',
    { code: 'already_released', requestId: id, token: asToken(8), endedBy: 'unclaimed' },
    { token: 8, endedBy: 'unclaimed' },
  ],
  ['request_cancelled', { code: 'request_cancelled', requestId: id }, { requestId }],
  ['request_mismatch', { code: 'request_mismatch', requestId: id, field: 'lock' }, { requestId, field: 'lock' }],
  ['held_by_session', { code: 'held_by_session', session: asSessionId('s-1') }, { session: 's-1' }],
  ['token_stale', { code: 'token_stale', token: asToken(8), endedBy: 'expired' }, { token: 8, endedBy: 'expired' }],
  [
    'quota_exceeded',
    { code: 'quota_exceeded', limit: 'waitersPerLock', max: 20_000 },
    { limit: 'waitersPerLock', max: 20_000 },
  ],
  // What came too late was not done, and there is no code of its own for it.
  ['no_leader', { code: 'too_old' }, {}],
]

t.test('every refusal has its code, its status and what belongs to it', async (t) => {
  for (const [code, refused, more] of refusals) {
    answer = refusal(refused)
    isProblem(t, await acquire(app, 'a', { requestId }), code, more)
  }
})

t.test('a read that finds no leader says so', async (t) => {
  isProblem(t, await get(app, '/v1/locks/a'), 'no_leader')
  isProblem(t, await post(app, lockPath('a', 'check'), { token: 1 }), 'no_leader')
  t.equal((await get(app, '/v1/locks/a?consistency=stale')).status, 200)
})

t.test('reads that wait are bounded, and counted out again when they are answered', async (t) => {
  const reads: ReadRequest[] = []
  const busy = await serveReplica({ read: (request) => void reads.push(request) })
  t.teardown(() => busy.close())
  const asked = Array.from({ length: 10_000 }, () => get(busy, '/v1/locks/a'))
  await eventually(() => (reads.length === 10_000 ? true : null))
  isProblem(t, await get(busy, '/v1/locks/a'), 'overloaded')
  t.equal((await get(busy, '/v1/locks/a?consistency=stale')).status, 200)
  t.match((await get(busy, '/metrics')).text, /^holdfast_reads_open 10000$/m)
  for (const [position, read] of reads.splice(0).entries()) {
    if (position % 2 === 0) read.ready()
    else read.noLeader()
  }
  const statuses = new Set((await Promise.all(asked)).map(({ status }) => status))
  t.same(statuses, new Set([200, 503]))
  t.match((await get(busy, '/metrics')).text, /^holdfast_reads_open 0$/m)
})

t.test('a transfer that is not seen to happen is an unknown outcome', async (t) => {
  for (const [result, code] of [
    ['timedOut', 'outcome_unknown'],
    ['noLeader', 'no_leader'],
    ['unknownMember', 'invalid_request'],
  ] as const) {
    const other = await serveReplica({ transfer: ({ done }) => done(result) })
    isProblem(t, await post(other, '/v1/cluster/transfer', { to: 'n1' }), code)
    await other.close()
  }
})

const newDisk = '0123456789abcdef0123456789abcdef'

t.test('a member is replaced, or it is said why not', async (t) => {
  let said: ReplaceResult = 'done'
  const asked: unknown[] = []
  const app = await serveReplica({
    replace: ({ done, ...call }) => {
      asked.push(call)
      done(said)
    },
  })
  t.teardown(() => app.close())
  const replace = (body: unknown) => post(app, '/v1/cluster/members/n2/replace', body)
  const done = await replace({ incarnation: newDisk })
  t.same([done.status, done.body], [200, { member: 'n2', incarnation: newDisk }])
  t.same(asked, [{ member: 'n2', incarnation: newDisk }])
  for (const [result, code] of [
    ['unknownMember', 'not_found'],
    ['underWay', 'replacement_under_way'],
    ['transferring', 'no_leader'],
    ['takingOver', 'no_leader'],
    ['noLeader', 'no_leader'],
    ['unknown', 'outcome_unknown'],
  ] as const) {
    said = result
    isProblem(t, await replace({ incarnation: newDisk }), code)
  }
  asked.length = 0
  for (const body of [
    {},
    { incarnation: 'x' },
    { incarnation: newDisk.toUpperCase() },
    { incarnation: newDisk, by: 1 },
  ]) {
    isProblem(t, await replace(body), 'invalid_request')
  }
  t.same(asked, [], 'what names no disk is refused before anybody is asked')
})

t.test(
  'a bug is answered with an instance under which the log says more, and nothing of it reaches the client',
  async (t) => {
    const lines: unknown[][] = []
    const log = Object.assign(Object.create(createLog('n1', 'silent')), {
      error: (...line: unknown[]) => void lines.push(line),
    })
    const broken = await serveReplica(
      {
        call: () => {
          throw new Error('the secret of the house')
        },
        read: () => {
          throw new Error('the secret of the house')
        },
      },
      log,
    )
    t.teardown(() => broken.close())
    for (const failed of [
      await acquire(broken, 'a', { metadata: { password: 'x' } }),
      await get(broken, '/v1/locks/a'),
    ]) {
      isProblem(t, failed, 'internal', { instance: /^urn:uuid:[0-9a-f-]{36}$/ })
      t.notMatch(failed.text, 'secret')
      const line = lines.shift()
      t.match(line, [{ instance: failed.body.instance, err: { message: 'the secret of the house' } }])
      t.notMatch(JSON.stringify(line), 'password')
    }
  },
)
