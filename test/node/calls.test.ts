import t from 'tap'
import { asClusterTime, asIndex, asLockName, asRequestId, asSequence, asSessionId, asToken } from '../../src/ids.ts'
import type { Command, WithdrawnAttempt } from '../../src/lockfsm/command.ts'
import type { Granted, Result } from '../../src/lockfsm/outcome.ts'
import { Calls } from '../../src/node/calls.ts'
import type { Answer, Call } from '../../src/node/calls.ts'
import type { Fate, Submission, Submitted } from '../../src/node/own-commands.ts'

const session = asSessionId('s-1')
const requestId = asRequestId('r-1')
const lock = asLockName('x')
const content = { lock, requestId, mode: 'exclusive' as const, waitMs: 10_000, owner: null, metadata: null }
const acquire: Command = {
  kind: 'acquire',
  ...content,
  session,
  ttlMs: null,
  pollMs: 4000,
  takenInAt: asClusterTime(5),
}
const release: Command = { kind: 'release', lock, token: asToken(1), session: null }
const opening = { requestId, ttlMs: 1000, name: null, metadata: null, takenInAt: asClusterTime(5) }

const granted: Granted = {
  kind: 'granted',
  lock,
  token: asToken(7),
  session,
  requestId,
  mode: 'exclusive',
  sequence: asSequence(1),
  ttlMs: 1000,
  validForMs: 900,
}

/** Calls over a route that a test plays: it says when a command leaves and what becomes of it. */
class Bench {
  time = 0
  readonly withdrawn: WithdrawnAttempt[] = []
  readonly submitted: { readonly submission: Submission; number: number | null; abandoned: boolean }[] = []
  readonly answers: string[] = []
  /** What the connection says to an answer: whether it was begun. */
  clientIsThere = true
  readonly calls = new Calls({
    now: () => this.time,
    submitterOf: () => ({ submit: (submission) => this.#submit(submission) }),
    withdraw: (attempt) => this.withdrawn.push(attempt),
  })

  begin(command: Command = acquire, waitMs = command.kind === 'acquire' ? command.pollMs : 0): Call {
    return this.calls.begin({
      command,
      waitMs,
      answer: (answer) => {
        if (this.clientIsThere) this.answers.push(textOf(answer))
        return this.clientIsThere
      },
    })
  }

  /** The commands submitted so far leave for the leader, numbered from 1. */
  leave(): void {
    for (const [position, command] of this.submitted.entries()) command.number ??= position + 1
  }

  learn(fate: Fate, which = this.submitted.length - 1): void {
    this.submitted[which]?.submission.learn(fate)
  }

  say(result: Exclude<Result, { kind: 'queued' }>): void {
    this.learn({ kind: 'outcome', index: asIndex(9), result })
  }

  queue(): void {
    this.learn({ kind: 'queued', index: asIndex(8) })
  }

  pass(ms: number): void {
    const until = this.time + ms
    while (this.time < until) {
      this.time = Math.min(until, this.time + 25)
      this.calls.expire(this.time)
    }
  }

  #submit(submission: Submission): Submitted {
    const command = { submission, number: null as number | null, abandoned: false }
    this.submitted.push(command)
    return {
      get number() {
        return command.number
      },
      takeBack: () => command.number === null,
      abandon: () => {
        command.abandoned = true
      },
    }
  }
}

function textOf(answer: Answer): string {
  return answer.kind === 'outcome' ? `${answer.result.kind} at ${answer.index}` : answer.kind
}

const attempt: WithdrawnAttempt = { of: 'acquire', session, requestId, number: 1 }

t.test('the outcome of its command answers a call, once', async (t) => {
  const bench = new Bench()
  bench.begin()
  bench.leave()
  bench.queue()
  t.same([bench.calls.open, bench.calls.queued], [1, 1])
  bench.say(granted)
  t.same(bench.answers, ['granted at 9'])
  t.same([bench.calls.open, bench.calls.queued], [0, 0])
  bench.pass(60_000)
  t.same(bench.answers, ['granted at 9'])
  t.same(bench.withdrawn, [], 'and the attempt keeps what it obtained')
})

t.test('a call whose command never left is answered noLeader after 3 s', async (t) => {
  const bench = new Bench()
  bench.begin()
  bench.pass(2975)
  t.same(bench.answers, [])
  bench.pass(100)
  t.same(bench.answers, ['noLeader'])
  t.same(bench.withdrawn, [])
})

t.test(
  'a call whose fate is not known is answered unknown 5 s after its own time, and its command is not sent again',
  async (t) => {
    const bench = new Bench()
    bench.begin(release)
    bench.leave()
    bench.pass(4975)
    t.same(bench.answers, [])
    bench.pass(100)
    t.same(bench.answers, ['unknown'])
    t.equal(bench.submitted[0]?.abandoned, true)
  },
)

t.test('a waiting call may take its own time before the 5 s begin', async (t) => {
  const bench = new Bench()
  bench.begin()
  bench.leave()
  bench.queue()
  bench.pass(8975)
  t.same(bench.answers, [])
  bench.pass(100)
  t.same(bench.answers, ['unknown'])
})

t.test('H13 a waiting attempt that was answered unknown is withdrawn', async (t) => {
  const bench = new Bench()
  bench.begin()
  bench.leave()
  bench.queue()
  bench.pass(9100)
  t.same(bench.answers, ['unknown'])
  t.same(bench.withdrawn, [attempt])
})

t.test(
  'H13 an attempt that was answered unknown before it was seen is withdrawn when it is seen to wait, not sooner',
  async (t) => {
    const bench = new Bench()
    bench.begin()
    bench.leave()
    bench.pass(9100)
    t.same(bench.answers, ['unknown'])
    t.same(bench.withdrawn, [], 'a withdrawal that overtakes its attempt would take nothing')
    bench.queue()
    t.same(bench.withdrawn, [attempt])
  },
)

t.test(
  'H13 an attempt that was answered unknown before it was seen is withdrawn when it is seen to hold',
  async (t) => {
    const bench = new Bench()
    bench.begin()
    bench.leave()
    bench.pass(9100)
    bench.say(granted)
    t.same(bench.answers, ['unknown'])
    t.same(bench.withdrawn, [attempt])
  },
)

t.test('H14 a grant whose answer could not be begun is withdrawn', async (t) => {
  const bench = new Bench()
  bench.begin()
  bench.leave()
  bench.clientIsThere = false
  bench.say(granted)
  t.same(bench.withdrawn, [attempt])
})

t.test('H14 a session whose answer could not be begun is withdrawn', async (t) => {
  const bench = new Bench()
  bench.begin({ kind: 'openSession', ...opening })
  bench.leave()
  bench.clientIsThere = false
  bench.say({ kind: 'sessionOpened', session, ttlMs: 1000, validForMs: 900, repeated: false })
  t.same(bench.withdrawn, [{ of: 'openSession', session: null, requestId, number: 1 }])
})

t.test('other answers that could not be begun leave nothing behind', async (t) => {
  const bench = new Bench()
  bench.begin()
  bench.leave()
  bench.clientIsThere = false
  bench.say({ kind: 'refused', code: 'lock_held', requestId, holders: [], queueLength: 0 })
  bench.begin(release)
  bench.leave()
  bench.say({ kind: 'released', lock, token: asToken(1) })
  t.same(bench.withdrawn, [])
})

t.test('a client that hangs up while it waits is withdrawn', async (t) => {
  const bench = new Bench()
  const call = bench.begin()
  bench.leave()
  bench.queue()
  bench.calls.abandon(call)
  t.same(bench.withdrawn, [attempt])
  t.same(bench.answers, [], 'nothing is said to nobody')
  t.same([bench.calls.open, bench.calls.queued], [0, 0])
})

t.test('a client that hangs up before its attempt was seen is withdrawn once it is seen', async (t) => {
  const bench = new Bench()
  const call = bench.begin()
  bench.leave()
  bench.calls.abandon(call)
  t.same(bench.withdrawn, [])
  bench.queue()
  t.same(bench.withdrawn, [attempt])
})

t.test('a client that hangs up before its command left has asked for nothing', async (t) => {
  const bench = new Bench()
  const call = bench.begin()
  bench.calls.abandon(call)
  t.equal(bench.calls.open, 0)
  bench.pass(60_000)
  t.same(bench.withdrawn, [])
})

t.test('a client that hangs up after a release was sent has asked for it all the same', async (t) => {
  const bench = new Bench()
  const call = bench.begin(release)
  bench.leave()
  bench.calls.abandon(call)
  t.equal(bench.submitted[0]?.abandoned, false)
  t.equal(bench.calls.open, 1)
})

t.test('a command that was certainly not done goes again under a new number, for 3 s', async (t) => {
  const bench = new Bench()
  bench.begin()
  bench.leave()
  bench.learn({ kind: 'notDone', reason: 'passedOver' })
  t.equal(bench.submitted.length, 2)
  bench.leave()
  bench.learn({ kind: 'notDone', reason: 'notLeader' })
  t.equal(bench.submitted.length, 3)
  t.same(bench.answers, [])
  bench.leave()
  bench.pass(3050)
  bench.learn({ kind: 'notDone', reason: 'notLeader' })
  t.same(bench.answers, ['noLeader'])
  t.equal(bench.submitted.length, 3)
})

t.test('a withdrawal names the number of the newest submission', async (t) => {
  const bench = new Bench()
  const call = bench.begin()
  bench.leave()
  bench.learn({ kind: 'notDone', reason: 'passedOver' })
  bench.leave()
  bench.queue()
  bench.calls.abandon(call)
  t.same(bench.withdrawn, [{ ...attempt, number: 2 }])
})

t.test('a command that every leader refused as overloaded is answered so', async (t) => {
  const bench = new Bench()
  bench.begin()
  bench.leave()
  bench.learn({ kind: 'notDone', reason: 'overloaded' })
  t.same(bench.answers, ['overloaded'])
  t.equal(bench.submitted.length, 1)
})

t.test('a command that the leader refused for want of disk space is answered so, and not tried again', async (t) => {
  const bench = new Bench()
  bench.begin()
  bench.leave()
  bench.learn({ kind: 'notDone', reason: 'diskLow' })
  t.same(bench.answers, ['diskLow'])
  t.equal(bench.submitted.length, 1)
})

t.test(
  'H15 an acquire that came too late was not done: it is submitted anew, and answered noLeader after 3 s',
  async (t) => {
    const bench = new Bench()
    bench.begin()
    bench.leave()
    bench.say({ kind: 'refused', code: 'too_old' })
    t.same(bench.answers, [])
    t.equal(bench.submitted.length, 2, 'as a new command, which is stamped anew')
    bench.time = 3000
    bench.leave()
    bench.say({ kind: 'refused', code: 'too_old' })
    t.same(bench.answers, ['noLeader'])
    t.equal(bench.submitted.length, 2)
    t.same(bench.withdrawn, [])
  },
)

t.test('H17 no timer of the node says that a wait is over or goes on', async (t) => {
  const bench = new Bench()
  bench.begin()
  bench.leave()
  bench.queue()
  // pollMs is 4 s, waitMs 10 s: all that a timer may ever say is that it does not know.
  bench.pass(4500)
  t.same(bench.answers, [])
  bench.pass(60_000)
  t.same(bench.answers, ['unknown'])
})

t.test(
  'at a stop what never left is noLeader, what has left is answered as told, and waits are withdrawn',
  async (t) => {
    const bench = new Bench()
    bench.begin()
    bench.leave()
    bench.queue()
    bench.begin(release)
    bench.calls.stop(() => ({ kind: 'unknown' }))
    t.same(bench.answers.sort(), ['noLeader', 'unknown'])
    t.same(bench.withdrawn, [attempt])
    t.same([bench.calls.open, bench.calls.queued], [0, 0])
  },
)

t.test(
  'H19 a call that an install jumped over is unknown, and there is nothing to withdraw: its attempt is in no set',
  async (t) => {
    for (const isQueued of [false, true]) {
      const bench = new Bench()
      bench.begin()
      bench.leave()
      if (isQueued) bench.queue()
      bench.learn({ kind: 'jumpedOver' })
      t.same(bench.answers, ['unknown'])
      t.same([bench.withdrawn, bench.calls.open, bench.calls.queued], [[], 0, 0])
      bench.pass(60_000)
      t.equal(bench.answers.length, 1)
    }
  },
)

t.test('H13 a call that was given up and turns out to be in the set behind an install is withdrawn', async (t) => {
  const bench = new Bench()
  const call = bench.begin()
  bench.leave()
  bench.calls.abandon(call)
  t.same(bench.withdrawn, [], 'its fate is not known yet')
  bench.say(granted)
  t.same(bench.withdrawn, [attempt])
})
