// A process of the client in the simulated world: two event loops on one clock, the thread of the user with the real keeper
// and the thread that renews with the real renewer. Either may be blocked while the other runs, both may be stopped, the
// machine may be suspended (its monotonic clock stands still, the one that counts suspension goes on), and the network
// between it and the nodes may lose or delay what is sent either way.
import type { Clock } from '../../src/client/clock.ts'
import type { FromRenewer, ToRenewer } from '../../src/client/keeper-messages.ts'
import { LeaseKeeper } from '../../src/client/keeper.ts'
import type { LinkEvents, RenewerLink } from '../../src/client/keeper.ts'
import { Renewer } from '../../src/client/renewer.ts'
import type { RenewalCall, RenewalEnds } from '../../src/client/renewer.ts'
import type { Reply } from './frontend.ts'
import type { Command } from '../../src/lockfsm/command.ts'
import type { ClusterTime, LockName, NodeId } from '../../src/ids.ts'
import { answerTo, commandOf } from './kept-calls.ts'
import { SimProcess } from './process.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

export interface ClientNetwork {
  /** Chances that a request is lost on its way, or its answer. */
  lostRequests: number
  lostAnswers: number
  /** Added to the way there, and to the way back, in the mean; `farMs` of it always. */
  delayMs: number
  readonly farMs: number
  /** Nodes that nothing reaches or leaves. */
  readonly cut: Set<NodeId>
  /** Renewals of this lock never arrive, whoever is asked, and others do. */
  swallowed: LockName | null
}

export interface ClientCall {
  readonly node: NodeId
  readonly build: (takenInAt: ClusterTime) => Command
  readonly waitMs: number
  readonly timeoutMs: number
  readonly isSwallowed?: boolean
  readonly heard: (reply: Reply) => void
}

/** How long a broken connection takes to be noticed. */
const noticeMs = 5

export class KeptProcess {
  readonly main: SimProcess
  readonly worker: SimProcess
  readonly keeper: LeaseKeeper
  readonly clock: Clock
  readonly network: ClientNetwork
  /** Virtual time at which the last suspension ended. */
  resumedAt = -Infinity
  /** Runs before anything else whenever the thread of the user does something. */
  onTurn: () => void = () => {}
  readonly #world: World
  readonly #random: Random
  readonly #clockFault: { rate: number; offset: number }
  readonly #toRenewer: ToRenewer[] = []
  readonly #fromRenewer: FromRenewer[] = []

  constructor(world: World, random: Random, { farMs }: { readonly farMs: number }) {
    this.#world = world
    this.#random = random
    this.network = { lostRequests: 0, lostAnswers: 0, delayMs: farMs, farMs, cut: new Set(), swallowed: null }
    const rate = random.between(0.999, 1.001)
    const bootOffset = random.between(0, 1e7)
    this.#clockFault = { rate, offset: random.between(0, 1e7) }
    const { timeline } = world
    this.main = this.#loop('main')
    this.worker = this.#loop('worker')
    this.clock = {
      now: () => ({
        monotonicMs: this.main.now(),
        sinceBootMs: Math.floor((timeline.now * rate + bootOffset) / 10) * 10,
      }),
    }
    this.keeper = new LeaseKeeper({
      clock: this.clock,
      setTimer: (delayMs, fire) => this.main.setTimer(delayMs, () => this.#turn(fire)),
      connect: (events) => this.#connect(events),
      exit: () => this.kill(),
    })
  }

  get isAlive(): boolean {
    return this.main.alive
  }

  kill(): void {
    this.main.kill()
    this.worker.kill()
  }

  /** The thread of the user does something, as soon as it can. */
  inMain(run: () => void): void {
    this.main.arrive(() => this.#turn(run))
  }

  afterMs(ms: number, run: () => void): void {
    this.main.setTimer(ms, () => this.#turn(run))
  }

  /** Blocks the loop of the user, of the renewer, or both, as SIGSTOP does. */
  pause(which: 'main' | 'worker' | 'both', forMs: number): void {
    const until = this.#world.timeline.now + forMs
    if (which !== 'worker') this.main.pauseUntil(until)
    if (which !== 'main') this.worker.pauseUntil(until)
  }

  suspend(forMs: number): void {
    const { timeline } = this.#world
    timeline.after(forMs, () => {
      this.resumedAt = timeline.now
      this.#clockFault.offset -= forMs * this.#clockFault.rate
      // Timers that were about to fire are further away now.
      for (const loop of [this.main, this.worker]) loop.setTimer(0, () => {})
    })
    this.pause('both', forMs)
  }

  /** A call of the thread of the user. */
  call(call: ClientCall): void {
    this.#exchange(this.main, { ...call, heard: (reply) => this.#turn(() => call.heard(reply)) })
  }

  #turn(run: () => void): void {
    this.onTurn()
    run()
  }

  #loop(name: string): SimProcess {
    return new SimProcess({
      timeline: this.#world.timeline,
      random: this.#random.fork(name),
      clock: this.#clockFault,
      faults: { stallChance: 0, stallMsMax: 0 },
      events: { ended: () => {}, turned: () => {}, report: () => {} },
    })
  }

  #connect(events: LinkEvents): RenewerLink {
    const endpoints = this.#world.machines.map(({ id }) => `http://${id}`)
    const renewer = new Renewer(
      { endpoints, followLeader: true },
      {
        clock: this.clock,
        random: () => this.#random.next(),
        setTimer: (delayMs, fire) => this.worker.setTimer(delayMs, fire),
        receive: () => this.#toRenewer.shift(),
        post: (news) => {
          this.#fromRenewer.push(news)
          this.inMain(() => {
            const first = this.#fromRenewer.shift()
            if (first !== undefined) events.news(first)
          })
        },
        send: (call, ends) => this.#sendRenewal(call, ends),
        kill: () => this.kill(),
      },
    )
    return {
      post: (message) => {
        this.#toRenewer.push(message)
        this.worker.arrive(() => renewer.run())
      },
      receive: () => this.#fromRenewer.shift(),
      close: async () => {},
    }
  }

  #sendRenewal({ endpoint, timeoutMs, ...call }: RenewalCall, ends: RenewalEnds): { cancel(): void } {
    const command = commandOf(call)
    const isSwallowed = command.kind === 'renewGrant' && command.lock === this.network.swallowed
    const node = this.#world.machines.find(({ id }) => endpoint === `http://${id}`)
    if (node === undefined) throw new Error(`no node at ${endpoint}`)
    return this.#exchange(this.worker, {
      node: node.id,
      build: () => command,
      waitMs: 0,
      timeoutMs,
      isSwallowed,
      heard: (reply) => {
        const answer = answerTo(command, reply)
        if (answer === null) ends.failed({ why: reply.kind, wasStale: false })
        else
          ends.answered({ ...answer, leader: this.#world.leader === null ? null : `http://${this.#world.leader.id}` })
      },
    })
  }

  /** Answered once, on the loop that asked, unless it was cancelled. */
  #exchange(loop: SimProcess, call: ClientCall): { cancel(): void } {
    const { node, build, waitMs, timeoutMs, isSwallowed = false, heard } = call
    const { timeline, frontend } = this.#world
    const random = this.#random
    const { lostRequests, lostAnswers, delayMs, cut } = this.network
    let isOver = false
    let hangUp = (): void => {}
    const settle = (reply: Reply): void => {
      if (isOver) return
      isOver = true
      timer.cancel()
      heard(reply)
    }
    const timer = loop.setTimer(timeoutMs, () => {
      hangUp()
      settle({ kind: 'broken' })
    })
    const arrives = (reply: Reply): void => {
      if (reply.kind !== 'broken' && (random.chance(lostAnswers) || cut.has(node))) return
      timeline.after(delayMs === 0 ? 0 : random.exponential(delayMs), () => loop.arrive(() => settle(reply)))
    }
    if (!random.chance(lostRequests) && !cut.has(node) && !isSwallowed) {
      // What was taken back before it left does not leave.
      timeline.after(delayMs === 0 ? 0 : random.exponential(delayMs), () => {
        if (!isOver) hangUp = hangUpOf(frontend.send(node, { build, waitMs, reply: arrives }))
      })
    } else if (random.chance(0.3)) {
      timeline.after(noticeMs, () => loop.arrive(() => settle({ kind: 'broken' })))
    }
    return {
      cancel: () => {
        isOver = true
        timer.cancel()
        hangUp()
      },
    }
  }
}

function hangUpOf(exchange: { hangUp(): void }): () => void {
  return () => exchange.hangUp()
}
