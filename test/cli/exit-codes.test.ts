import { errorCodes } from '../../src/http/errors.ts'
import { HoldfastError } from '../../src/client/errors.ts'
import { exitCodes } from '../../src/cli/exit-codes.ts'
import { Failure, failureAsJson, failureOf } from '../../src/cli/failures.ts'
import t from 'tap'

t.test('every ending has a code of its own, away from those that commands use', async (t) => {
  const { cannot_run, no_such_command, ...own } = exitCodes
  t.same([cannot_run.code, no_such_command.code], [126, 127])
  const codes = Object.values(own).map(({ code }) => code)
  t.equal(new Set(codes).size, codes.length)
  for (const code of codes) t.ok(code >= 112 && code <= 119, String(code))
})

t.test('every code of the API is one line for people and an ending', async (t) => {
  for (const code of errorCodes) {
    const failure = failureOf(new HoldfastError(code, `${code}: something.`))
    t.ok(failure.ending in exitCodes, code)
    t.match(failure.message, /^\S[^\n]*$/)
    t.notMatch(failure.message, /\.\.|: \.|undefined/)
  }
})

t.test('who holds the lock is said, and what a terminal would obey is shown', async (t) => {
  const holder = {
    session: null,
    owner: 'worker\u001b[2J',
    mode: 'exclusive',
    token: 7,
    sequence: 9,
    heldMs: 192_000,
    expiresInMs: 1000,
    metadata: null,
  } as const
  const error = new HoldfastError('lock_held', 'lock_held: held', {
    details: { lock: 'jobs', holders: [holder], queueLength: 2 },
  })
  const failure = failureOf(error)
  t.equal(failure.ending, 'not_acquired')
  t.match(failure.message, /^jobs is held by worker\\x1b\[2J \(token 7, for 3m12s, 2 in line\)\. Wait for it/)
  t.match(failureAsJson(failure), { error: { ending: 'not_acquired', code: 'lock_held', queueLength: 2 } })
})

t.test('our own failures pass as they are, and any other error is a bug', async (t) => {
  const failure = new Failure('usage', 'wrong')
  t.equal(failureOf(failure), failure)
  t.throws(() => failureOf(new TypeError('oops')), /oops/)
})
