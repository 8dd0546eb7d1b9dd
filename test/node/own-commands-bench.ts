// The commands of a node under test, from their submission to their fate, and commands to submit.
import { decodeCommand } from '../../src/codec/command.ts'
import {
  asClusterTime,
  asIndex,
  asLockName,
  asNodeId,
  asRequestId,
  asRun,
  asSessionId,
  asToken,
} from '../../src/ids.ts'
import type { Acquire, Command } from '../../src/lockfsm/command.ts'
import type { Result } from '../../src/lockfsm/outcome.ts'
import { OwnCommands } from '../../src/node/own-commands.ts'
import type { Fate, Submitted } from '../../src/node/own-commands.ts'

export const node = asNodeId('n1')
export const run = asRun(3)
export const session = asSessionId('s-1')

export const release: Command = { kind: 'release', lock: asLockName('x'), token: asToken(1), session: null }
export const close: Command = { kind: 'closeSession', session }
export const acquire: Acquire = {
  kind: 'acquire',
  lock: asLockName('x'),
  session,
  requestId: asRequestId('r'),
  mode: 'exclusive',
  ttlMs: null,
  waitMs: 1000,
  pollMs: 1000,
  owner: null,
  metadata: null,
  takenInAt: asClusterTime(0),
}

/** Commands of one node, what each of them learned, and which numbers a sending carries. */
export class Bench {
  time = asClusterTime(0)
  readonly commands = new OwnCommands({ node, run: () => run, clusterTime: () => this.time, lastSending: 0 })
  readonly fates: string[][] = []

  submit(command: Command = release): Submitted {
    const learned: string[] = []
    this.fates.push(learned)
    return this.commands.submit({ command, learn: (fate) => learned.push(textOf(fate)) })
  }

  /** The numbers that the next sending carries; the name of the sending is how many there were. */
  send(ready = true): number[] {
    return this.commands.nextSending(ready)?.commands.map((bytes) => decodeCommand(bytes).origin.number) ?? []
  }

  apply(number: number, result: Result = { kind: 'done' }): void {
    this.commands.applied({ to: { node, run, number }, result }, asIndex(number * 10))
  }
}

function textOf(fate: Fate): string {
  if (fate.kind === 'notDone') return `not done: ${fate.reason}`
  if (fate.kind === 'jumpedOver') return 'jumped over'
  return fate.kind === 'queued' ? `queued at ${fate.index}` : `${fate.result.kind} at ${fate.index}`
}
