// What is true of the machine that keeps leases whatever happens to it, in whatever order.
import fc from 'fast-check'
import t from 'tap'
import { leftMs } from '../../src/client/clock.ts'
import { lock, namesIn, Scene, session } from './keeping-scene.ts'
import type { Sent } from './keeping-scene.ts'

type Step =
  | { readonly kind: 'hold'; readonly isSession: boolean; readonly ttlMs: number }
  | { readonly kind: 'forget' | 'giveUp' | 'answer' | 'refuse' | 'fail'; readonly which: number }
  | { readonly kind: 'pass' | 'suspend'; readonly ms: number }

const which = fc.nat(50)
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('hold' as const),
        isSession: fc.boolean(),
        ttlMs: fc.integer({ min: 1000, max: 20_000 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('forget' as const, 'giveUp' as const), which }) },
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constantFrom('answer' as const, 'refuse' as const, 'fail' as const), which }),
    },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 4000 }) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('suspend' as const), ms: fc.integer({ min: 1, max: 8000 }) }),
    },
  ),
  { minLength: 1, maxLength: 80 },
)

class Play {
  readonly scene = new Scene()
  readonly names = new Map<number, string>()
  readonly over = new Map<number, number>()
  #lastId = 0

  step(step: Step): void {
    const { scene } = this
    switch (step.kind) {
      case 'hold': {
        const id = ++this.#lastId
        this.names.set(id, step.isSession ? `s-${id}` : `token ${id}`)
        scene.hold(id, { what: step.isSession ? session(id) : lock(id), ttlMs: step.ttlMs })
        return
      }
      case 'forget':
      case 'giveUp': {
        const id = this.#id(step.which)
        if (!this.over.has(id)) this.over.set(id, scene.sent.length)
        scene.take({ kind: step.kind === 'forget' ? 'forget' : 'givenUp', id })
        return
      }
      case 'answer':
      case 'refuse':
      case 'fail':
        return this.#answer(step.kind, step.which)
      case 'pass':
        scene.pass(step.ms)
        return
      case 'suspend':
        scene.suspendedMs += step.ms
        scene.act()
    }
  }

  /** One of the renewals that were sent; null before there are any. */
  sentAt(at: number): Sent | null {
    const { sent } = this.scene
    return sent.at(-1 - (at % Math.max(1, sent.length))) ?? null
  }

  #answer(how: 'answer' | 'refuse' | 'fail', at: number): void {
    const { scene } = this
    const sent = this.sentAt(at)
    if (sent === null) return
    const { renewal } = sent
    if (how === 'fail') scene.fail({ renewal })
    else if (how === 'refuse') scene.answer({ renewal, status: 503, body: { code: 'no_leader' } })
    else scene.answer({ renewal, body: answerTo(sent) })
  }

  #id(at: number): number {
    return this.#lastId === 0 ? 0 : 1 + (at % this.#lastId)
  }
}

function answerTo(sent: Sent): unknown {
  const names = namesIn(sent)
  if (sent.path === '/v1/sessions/renew') {
    return { renewed: names.map((name) => ({ session: name, validForMs: 5000 })), gone: [] }
  }
  return { token: Number(/\d+/.exec(names[0] ?? '')?.[0]), validForMs: 5000 }
}

t.test('a deadline is never moved to an earlier moment, and only by an answer to its own renewal', async () => {
  const property = fc.property(steps, (drawn) => {
    const play = new Play()
    for (const step of drawn) {
      const { instant } = play.scene
      const before = new Map([...play.scene.state.leases].map(([id, { valid }]) => [id, valid]))
      const answered = step.kind === 'answer' ? play.sentAt(step.which) : null
      const named: readonly string[] = answered === null ? [] : namesIn(answered)
      play.step(step)
      for (const [id, { valid }] of play.scene.state.leases) {
        const was = before.get(id)
        if (was === undefined) continue
        if (leftMs(valid, instant) < leftMs(was, instant)) throw new Error(`of ${id}, by ${step.kind}`)
        if (valid === was) continue
        if (!named.includes(play.names.get(id) ?? ''))
          throw new Error(`of ${id}, moved by ${step.kind} of ${named.join()}`)
        if (valid.from.monotonicMs !== answered?.at) throw new Error(`of ${id}, counted from ${valid.from.monotonicMs}`)
      }
    }
  })
  fc.assert(property, { numRuns: 500 })
})

t.test('nothing is sent for what was forgotten, given up or lost, and what is lost is told once', async () => {
  const property = fc.property(steps, (drawn) => {
    const play = new Play()
    for (const step of drawn) play.step(step)
    const { sent, lost, state } = play.scene
    for (const [id, from] of play.over) {
      const name = play.names.get(id)
      if (sent.slice(from).some((each) => namesIn(each).includes(name ?? ''))) throw new Error(`${name} was renewed`)
    }
    if (new Set(lost).size !== lost.length) throw new Error(`lost: ${lost.join(' ')}`)
    if (state.awaited < 0 || state.awaited > state.renewals.size) throw new Error(`${state.awaited} awaited`)
    for (const lease of state.leases.values()) {
      const underWay = [...state.renewals.values()].filter(({ leases }) => leases.includes(lease.id)).length
      if (underWay !== lease.underWay) throw new Error(`${underWay} under way, counted ${lease.underWay}`)
      if (lease.stage === 'kept' && leftMs(lease.valid, play.scene.instant) <= 50) throw new Error('kept too long')
    }
  })
  fc.assert(property, { numRuns: 500 })
})

t.test(
  'when all is well: one call a third of a TTL for all sessions and for each lock, and nothing is lost',
  async () => {
    const held = fc.array(fc.record({ isSession: fc.boolean(), afterMs: fc.nat(3000) }), {
      minLength: 1,
      maxLength: 20,
    })
    const property = fc.property(
      held,
      fc.integer({ min: 1000, max: 30_000 }),
      fc.nat(80),
      (leases, ttlMs, latencyMs) => {
        const scene = new Scene()
        for (const [index, { isSession, afterMs }] of leases.entries()) {
          run(scene, afterMs, latencyMs)
          const what = isSession ? session(index + 1) : lock(index + 1)
          scene.hold(index + 1, { what, ttlMs, validForMs: ttlMs })
        }
        // Sessions that were not begun together come together in a few thirds.
        run(scene, 10 * ttlMs, latencyMs)
        const before = scene.sent.length
        const thirds = 12
        run(scene, (thirds * ttlMs) / 3, latencyMs)
        const locks = leases.filter(({ isSession }) => !isSession).length
        const calls = scene.sent.length - before
        const bound = (thirds + 1) * (locks + sessionCalls(leases))
        if (calls > bound) throw new Error(`${calls} calls, not ${bound}`)
        if (scene.lost.length > 0) throw new Error('lost')
      },
    )
    fc.assert(property, { numRuns: 60 })
  },
)

function sessionCalls(leases: readonly { readonly isSession: boolean }[]): number {
  return leases.some(({ isSession }) => isSession) ? 1 : 0
}

/** Lets time pass; every call is answered after `latencyMs`. */
function run(scene: Scene, ms: number, latencyMs: number): void {
  const until = scene.now + ms
  for (;;) {
    const open = scene.sent.find(({ renewal }) => scene.state.renewals.has(renewal))
    const answerAt = open === undefined ? Infinity : open.at + latencyMs
    const wakeAt = scene.now + scene.sleepMs
    if (Math.min(answerAt, wakeAt) > until) return void scene.pass(until - scene.now)
    if (answerAt > wakeAt) {
      scene.pass(scene.sleepMs)
      continue
    }
    scene.pass(Math.max(0, answerAt - scene.now))
    if (open !== undefined && scene.state.renewals.has(open.renewal)) {
      scene.answer({ renewal: open.renewal, body: wellAnswered(open, scene) })
    }
  }
}

function wellAnswered(sent: Sent, scene: Scene): unknown {
  const [first] = [...scene.state.leases.values()]
  const validForMs = first?.ttlMs ?? 0
  const names = namesIn(sent)
  if (sent.path === '/v1/sessions/renew') {
    return { renewed: names.map((name) => ({ session: name, validForMs })), gone: [] }
  }
  return { token: Number(/\d+/.exec(names[0] ?? '')?.[0]), validForMs }
}
