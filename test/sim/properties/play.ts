// Plays a schedule on a cluster of real nodes, heals it, and asks of the healed cluster what it owes: a leader, everybody
// up to date, an answer for every call, the lock for a newcomer at every node. Every step that did something leaves the
// line of TypeScript that does just that, so that what fails can be pasted into a test of a history.
import { assert, unreachable } from '../../../src/assert.ts'
import type { Machine } from '../machine.ts'
import { Script } from '../script.ts'
import { Actors, waitMs } from './actors.ts'
import { beliefsOf, violationsIn } from './judge.ts'
import type { Call } from './judge.ts'
import type { Schedule, Step, Where } from './schedule.ts'

export interface Played {
  readonly calls: readonly Call[]
  readonly leaders: number
  /** Grants that a client of the schedule was told of. */
  readonly grants: number
}

/** Thrown when the schedule breaks a promise. */
export class ScheduleFailed extends Error {
  override readonly name = 'ScheduleFailed'
  /** The schedule as a test of a history. */
  readonly script: string

  constructor(reason: string, script: string, cause: unknown) {
    super(reason, { cause })
    this.script = script
  }
}

/** Plays the schedule and judges it. */
export function play(schedule: Schedule): Played {
  const player = new Player(schedule)
  try {
    return player.play()
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause)
    throw new ScheduleFailed(reason, [...player.lines, `// ${reason}`].join('\n'), cause)
  }
}

class Player {
  readonly lines: string[] = []
  readonly #schedule: Schedule
  readonly #script: Script
  readonly #actors: Actors

  constructor(schedule: Schedule) {
    this.#schedule = schedule
    this.#script = new Script({ members: schedule.members })
    this.#actors = new Actors(this.#script, (line) => this.lines.push(line))
  }

  play(): Played {
    const script = this.#script
    const { members, withSession, steps } = this.#schedule
    this.lines.push(`const script = new Script(${members === 3 ? '' : '{ members: 5 }'}).found()`)
    this.lines.push(`const [${script.world.machines.map(({ id }) => id).join(', ')}] = script.world.machines`)
    script.found()
    for (const name of withSession) this.#actors.openSession(name)
    for (const step of steps) this.#step(step)
    this.#heal()
    this.#judge()
    this.#askAll()
    this.#judge()
    const { calls } = this.#actors
    const grants = new Set(beliefsOf(calls).map(({ token }) => token))
    return {
      calls,
      leaders: script.world.raftChecks.leaders.size,
      grants: grants.size,
    }
  }

  // ---- steps

  /** Does what the step says, when there is something to do. */
  #step(step: Step): void {
    switch (step.kind) {
      case 'pass':
        return this.#pass(step.ms)
      case 'isolate':
      case 'cutLink':
      case 'cutOneWay':
      case 'reset':
      case 'heal':
        return this.#network(step)
      case 'crash':
      case 'restart':
      case 'pause':
        return this.#machine(step)
      case 'read':
      case 'ask':
      case 'retry':
      case 'release':
      case 'renew':
      case 'hangUp':
      case 'giveUp':
        return this.#client(step)
      default:
        return unreachable(step)
    }
  }

  #pass(ms: number): void {
    this.lines.push(`script.pass(${ms})`)
    this.#script.pass(ms)
  }

  #network(step: Extract<Step, { kind: 'isolate' | 'cutLink' | 'cutOneWay' | 'reset' | 'heal' }>): void {
    const script = this.#script
    const { network } = script.world
    if (step.kind === 'heal') {
      this.lines.push('script.heal()')
      return script.heal()
    }
    if (step.kind === 'isolate') {
      const at = this.#at(step.at)
      if (at === null) return
      this.lines.push(`script.isolate(${at.id})`)
      return script.isolate(at)
    }
    const [from, to] = [this.#at(step.from), this.#at(step.to)]
    if (from === null || to === null || from === to) return
    if (step.kind === 'cutLink') {
      this.lines.push(`script.isolate(${from.id}, [${to.id}])`)
      script.isolate(from, [to])
    } else if (step.kind === 'cutOneWay') {
      this.lines.push(`script.world.network.cut(${from.id}.id, ${to.id}.id)`)
      network.cut(from.id, to.id)
    } else {
      this.lines.push(`script.world.network.reset(${from.id}.id, ${to.id}.id)`)
      network.reset(from.id, to.id)
    }
  }

  #machine(step: Extract<Step, { kind: 'crash' | 'restart' | 'pause' }>): void {
    const at = this.#at(step.at)
    // Only what runs can crash or freeze, only what does not can start.
    if (at === null || at.isUp === (step.kind === 'restart')) return
    if (step.kind === 'crash') {
      this.lines.push(`${at.id}.crash(${step.dark})`)
      at.crash(step.dark)
    } else if (step.kind === 'restart') {
      this.lines.push(`${at.id}.start()`)
      at.start()
    } else {
      this.lines.push(`${at.id}.process?.pauseUntil(script.now + ${step.ms})`)
      at.process?.pauseUntil(this.#script.now + step.ms)
    }
  }

  #client(step: Extract<Step, { kind: 'read' | 'ask' | 'retry' | 'release' | 'renew' | 'hangUp' | 'giveUp' }>): void {
    const actors = this.#actors
    if (step.kind === 'hangUp') return actors.hangUp(step.client)
    if (step.kind === 'giveUp') return actors.giveUp(step.client)
    const at = this.#at(step.at)
    if (at?.isUp !== true) return
    if (step.kind === 'read') actors.read(at)
    else if (step.kind === 'ask') actors.ask(step.client, at)
    else if (step.kind === 'retry') actors.retry(step.client, at)
    else if (step.kind === 'release') actors.release(step.client, at)
    else actors.renew(step.client, at)
  }

  // ---- the end

  /** Everything is undone, and a moment later one leads and all others are up to date. */
  #heal(): void {
    const { world } = this.#script
    this.lines.push('script.heal()')
    world.network.healAll()
    for (const machine of world.machines) {
      if (machine.process?.isPaused === true) {
        this.lines.push(`${machine.id}.process?.resume()`)
        machine.process.resume()
      }
      if (!machine.isUp) {
        this.lines.push(`${machine.id}.start()`)
        machine.start()
      }
    }
    const converged = () =>
      world.leader !== null &&
      world.machines.every(({ node }) => {
        const replica = node?.replica
        return replica?.leader === world.leader?.id && replica?.appliedIndex === world.raftChecks.lastCommitted
      })
    this.lines.push("script.until(() => script.isSettled, 'healed')")
    this.#script.until(converged, 'L3: the healed cluster has a leader, and all follow', 10_000)
    this.#readAll()
  }

  /** S3: every node shows the same holder, and the client who counts on the lock is it. */
  #readAll(): void {
    const { machines } = this.#script.world
    for (const machine of machines) this.#actors.read(machine)
    this.#pass(2500)
    const asked = this.#actors.calls.slice(-machines.length)
    const answered = asked.every(
      ({ kind, told }) => kind === 'read' && told.token !== 'failed' && told.repliedAt < Infinity,
    )
    assert(answered, 'L3: reads are answered within 2.5 s')
  }

  /** L1, L3: whoever holds the lock lets go or has died, so that a newcomer gets it, at every node. */
  #askAll(): void {
    const script = this.#script
    const { machines } = script.world
    this.#actors.letGo(script.leader)
    // Calls that wait are answered in their time, or are granted and let go: nobody renews any more.
    this.#pass(waitMs + 7000)
    const [silent] = this.#actors.unanswered
    assert(silent === undefined, () => `L3: a call to ${silent?.kind} was never answered`)
    for (const machine of machines) {
      this.lines.push(`script.release(${machine.id}, script.hold(${machine.id}, { ttlMs: 600_000 }))`)
      const granted = script.hold(machine, { ttlMs: 600_000 })
      const others = [...script.world.lockChecks.lives.grants.keys()]
      assert(
        others.every((token) => token <= granted.token),
        () => `S2: token ${granted.token} is not the greatest`,
      )
      const reply = script.release(machine, granted)
      assert(reply.kind === 'outcome' && reply.result.kind === 'released', () => `L1: ${machine.id} does not release`)
    }
    this.#readAll()
  }

  #judge(): void {
    const [violation] = violationsIn(this.#actors.calls)
    assert(violation === undefined, violation ?? '')
  }

  #at(where: Where): Machine | null {
    const { machines, leader } = this.#script.world
    return where === 'leader' ? leader : (machines[where % machines.length] ?? null)
  }
}
