// The judgement itself: for every promise a history that breaks it, by hand, and one like it that does not. Times are in
// milliseconds.
import t from 'tap'
import { asIndex, asLockName, asRequestId, asSequence, asSessionId, asToken } from '../../../src/ids.ts'
import type { Result } from '../../../src/lockfsm/outcome.ts'
import { someLock } from '../script.ts'
import { beliefsOf, violationsIn } from './judge.ts'
import type { Call, Spoken } from './judge.ts'
import type { ClientName } from './schedule.ts'

type When = readonly [sentAt: number, repliedAt: number]

function told([sentAt, repliedAt]: When, result: Exclude<Result, { kind: 'queued' }>): Spoken {
  return { reply: { kind: 'outcome', index: asIndex(1), result }, sentAt, repliedAt }
}

/** `client` is granted the token for `validForMs`, under a request of that name. */
function granted(
  client: ClientName,
  token: number,
  when: When,
  validForMs: number,
  request = `${client}-${token}`,
): Call {
  const result = {
    kind: 'granted',
    lock: someLock,
    token: asToken(token),
    session: null,
    requestId: asRequestId(request),
    mode: 'exclusive',
    sequence: asSequence(token),
    ttlMs: validForMs,
    validForMs,
  } as const
  return { kind: 'ask', client, request, told: told(when, result) }
}

function unanswered(client: ClientName, sentAt: number, request: string): Call {
  return { kind: 'ask', client, request, told: { reply: null, sentAt, repliedAt: Infinity } }
}

function released(client: ClientName, token: number, when: When): Call {
  const result = { kind: 'released', lock: asLockName(someLock), token: asToken(token) } as const
  return { kind: 'release', client, token: asToken(token), told: told(when, result) }
}

function stale(client: ClientName, token: number, when: When, endedBy: 'released' | 'unclaimed'): Call {
  const result = { kind: 'refused', code: 'token_stale', token: asToken(token), endedBy } as const
  return { kind: 'release', client, token: asToken(token), told: told(when, result) }
}

function renewed(client: ClientName, when: When, validForMs: number | 'session_ended'): Call {
  const session = asSessionId('a session')
  const renewal =
    validForMs === 'session_ended'
      ? ({ session, refusal: validForMs } as const)
      : { session, ttlMs: validForMs, validForMs }
  return { kind: 'renewSession', client, told: told(when, { kind: 'sessionsRenewed', renewals: [renewal] }) }
}

function shown(token: number | null, [sentAt, repliedAt]: When): Call {
  return { kind: 'read', told: { token: token === null ? null : asToken(token), sentAt, repliedAt } }
}

t.test('S1 two who count on the lock at once are seen', async (t) => {
  t.match(violationsIn([granted('x', 1, [0, 10], 100), granted('y', 2, [0, 90], 100)]), [/^S1/])
  t.same(violationsIn([granted('x', 1, [0, 10], 100), granted('y', 2, [0, 100], 100)]), [])
  const passedOn = [granted('x', 1, [0, 10], 100), released('x', 1, [50, 60]), granted('y', 2, [0, 55], 100)]
  t.same(violationsIn(passedOn), [], 'who asks for the end counts on nothing from then on')
  const twice = [granted('x', 1, [0, 10], 100, 'same'), granted('x', 1, [20, 30], 100, 'same')]
  t.same(violationsIn(twice), [], 'one grant, told twice')
})

t.test('S1 what renews a session carries its grants on', async (t) => {
  const calls = [granted('x', 1, [0, 10], 100), renewed('x', [50, 60], 100), granted('y', 2, [0, 120], 200)]
  t.match(violationsIn(calls), [/^S1/])
  const late = [granted('x', 1, [0, 10], 100), renewed('x', [50, 130], 100)]
  t.match(beliefsOf(late), [
    { from: 10, until: 100 },
    { from: 130, until: 150 },
  ])
})

t.test('S2 a token that does not grow is seen', async (t) => {
  t.match(violationsIn([granted('x', 5, [0, 10], 20), granted('y', 4, [15, 30], 100)]), [/^S2/, /^S2/])
  t.match(violationsIn([granted('x', 5, [0, 10], 20), granted('y', 4, [5, 30], 100)]), [/^S2/], 'asked before, counts')
  t.same(violationsIn([granted('x', 5, [0, 10], 20), granted('y', 4, [5, 30], 20)]), [], 'told when it was over')
  const first = unanswered('y', 5, 'same')
  t.same(violationsIn([granted('x', 5, [0, 10], 20), first, granted('y', 4, [15, 40], 20, 'same')]), [])
})

t.test('S3 a hold that was acknowledged and is not shown is seen', async (t) => {
  const hold = granted('x', 3, [0, 10], 100)
  for (const token of [null, 4]) t.match(violationsIn([hold, shown(token, [20, 30])]), [/^S3/])
  t.same(violationsIn([hold, shown(3, [20, 30])]), [])
  t.same(violationsIn([hold, shown(null, [5, 30])]), [], 'the read was begun before')
  t.same(violationsIn([hold, shown(null, [20, 100])]), [], 'the time was over')
})

t.test('S6 a token that is shown after it was answered as released is seen', async (t) => {
  const calls = [granted('x', 3, [0, 10], 100), released('x', 3, [20, 30])]
  t.match(violationsIn([...calls, shown(3, [31, 40])]), [/^S6/])
  t.same(violationsIn([...calls, shown(3, [29, 40])]), [])
})

t.test('S5 an end before its time that nobody asked for is seen', async (t) => {
  const hold = granted('x', 3, [0, 10], 100)
  t.match(violationsIn([hold, stale('x', 3, [20, 30], 'unclaimed')]), [/^S5/])
  t.same(violationsIn([hold, stale('x', 3, [20, 30], 'released')]), [], 'released twice')
  t.same(violationsIn([hold, stale('x', 3, [20, 101], 'unclaimed')]), [], 'answered when the time was over')
  t.match(violationsIn([hold, renewed('x', [20, 30], 'session_ended')]), [/^S5/])
  t.same(violationsIn([hold, renewed('y', [20, 30], 'session_ended')]), [])
})
