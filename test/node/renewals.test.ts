import t from 'tap'
import { asIndex, asSessionId } from '../../src/ids.ts'
import type { SessionRenewal } from '../../src/lockfsm/command.ts'
import type { SessionRenewed } from '../../src/lockfsm/outcome.ts'
import type { Fate, Submission, Submitted } from '../../src/node/own-commands.ts'
import { Renewals } from '../../src/node/renewals.ts'

/** Renewals over a route that a test plays. */
class Bench {
  readonly sent: Submission[] = []
  readonly learned: Fate[][] = []
  readonly renewals = new Renewals({
    submit: (submission) => {
      this.sent.push(submission)
      return { number: this.sent.length, takeBack: () => false, abandon: () => {} }
    },
  })

  renew(...names: string[]): Submitted {
    const learned: Fate[] = []
    this.learned.push(learned)
    const renewals = names.map((name) => ({ session: asSessionId(name), ttlMs: null }))
    return this.renewals.submit({ command: { kind: 'renewSessions', renewals }, learn: (fate) => learned.push(fate) })
  }

  /** Sessions in each command sent so far. */
  get packs(): string[] {
    return this.sent.map(({ command }) => sessionsOf(command.kind === 'renewSessions' ? command.renewals : []))
  }

  /** The sessions of which each call has learned that they were renewed. */
  get answered(): (string | null)[] {
    return this.learned.map(([fate]) => {
      if (fate?.kind !== 'outcome' || fate.result.kind !== 'sessionsRenewed') return fate?.kind ?? null
      return sessionsOf(fate.result.renewals)
    })
  }

  succeed(position: number): void {
    const command = this.sent[position]?.command
    if (command?.kind !== 'renewSessions') throw new Error('no such command')
    const renewals = command.renewals.map(({ session }): SessionRenewed => ({ session, ttlMs: 1, validForMs: 1 }))
    const result = { kind: 'sessionsRenewed' as const, renewals }
    this.sent[position]?.learn({ kind: 'outcome', index: asIndex(5), result })
  }
}

function sessionsOf(renewals: readonly (SessionRenewal | SessionRenewed)[]): string {
  return renewals.map(({ session }) => session).join(' ')
}

t.test('the first renewal goes at once, those of the next 50 ms together', async (t) => {
  const bench = new Bench()
  bench.renew('s-1')
  bench.renewals.flush(1000)
  t.same(bench.packs, ['s-1'])
  bench.renew('s-2')
  bench.renewals.flush(1010)
  bench.renew('s-3')
  bench.renewals.flush(1049)
  t.same(bench.packs, ['s-1'])
  t.equal(bench.renewals.wakeAt, 1050)
  bench.renewals.flush(1050)
  t.same(bench.packs, ['s-1', 's-2 s-3'])
  t.equal(bench.renewals.wakeAt, Infinity)
})

t.test('H1 a renewal is answered by the outcome of the command that carried it, and by no other', async (t) => {
  const bench = new Bench()
  bench.renew('s-1', 's-2')
  bench.renewals.flush(0)
  bench.renew('s-1')
  bench.renewals.flush(60)
  bench.succeed(0)
  t.same(bench.answered, ['s-1 s-2', null], 'the second renewal of s-1 has not been heard of')
  bench.succeed(1)
  t.same(bench.answered, ['s-1 s-2', 's-1'])
})

t.test('H1 a renewal shares a command only with those that had arrived before it was sent', async (t) => {
  const bench = new Bench()
  bench.renew('s-1')
  bench.renew('s-2')
  bench.renewals.flush(0)
  bench.renew('s-3')
  bench.renew('s-1')
  t.same(bench.packs, ['s-1 s-2'], 'what comes later does not join it')
  bench.renewals.flush(50)
  t.same(bench.packs, ['s-1 s-2', 's-3 s-1'])
  bench.succeed(0)
  t.same(bench.answered, ['s-1', 's-2', null, null], 'each learns its own part')
  bench.succeed(1)
  t.same(bench.answered, ['s-1', 's-2', 's-3', 's-1'])
})

t.test('everybody in a command that was not done learns it', async (t) => {
  const bench = new Bench()
  bench.renew('s-1')
  bench.renew('s-2')
  bench.renewals.flush(0)
  bench.sent[0]?.learn({ kind: 'notDone', reason: 'passedOver' })
  t.same(bench.answered, ['notDone', 'notDone'])
})

t.test('a renewal that was not sent can be taken back, one that was sent cannot', async (t) => {
  const bench = new Bench()
  const [first, second] = [bench.renew('s-1'), bench.renew('s-2')]
  t.equal(first.takeBack(), true)
  t.equal(first.takeBack(), false, 'once')
  bench.renewals.flush(0)
  t.equal(second.takeBack(), false)
  t.same(bench.packs, ['s-2'])
})

t.test('what waits for a route goes in commands of about 2,000 renewals, calls whole', async (t) => {
  const bench = new Bench()
  const names = (count: number) => Array.from({ length: count }, (_, number) => `s-${number}`)
  for (let call = 0; call < 5; call++) bench.renew(...names(900))
  bench.renewals.flush(0)
  t.same(
    bench.packs.map((pack) => pack.split(' ').length),
    [2700, 1800],
  )
})

t.test('twenty thousand renewals are taken back in a moment', async (t) => {
  const bench = new Bench()
  const submitted = Array.from({ length: 20_000 }, (_, number) => bench.renew(`s-${number}`))
  const since = performance.now()
  t.ok(submitted.every((renewal) => renewal.takeBack()))
  const tookMs = performance.now() - since
  t.ok(tookMs < 1000, `${Math.round(tookMs)} ms`)
  t.equal(bench.renewals.wakeAt, Infinity)
})
