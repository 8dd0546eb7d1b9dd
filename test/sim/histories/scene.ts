// Where most histories begin: a founded cluster of three, by the names that HISTORIES gives its nodes; and what is done to
// their disks in more than one of them.
import { assert } from '../../../src/assert.ts'
import { asLockName } from '../../../src/ids.ts'
import type { Incarnation } from '../../../src/ids.ts'
import type { KeepingOptions } from '../../../src/node/keeping.ts'
import type { MemoryDisk } from '../../../src/testing/memory-disk.ts'
import type { Machine } from '../machine.ts'
import type { Scenario } from '../scenario.ts'
import { Script } from '../script.ts'

export interface Scene {
  readonly script: Script
  /** The leader, and the two others. */
  readonly a: Machine
  readonly b: Machine
  readonly c: Machine
}

export function scene(change: Partial<Scenario> = {}): Scene {
  const script = new Script(change).found()
  const [b, c] = script.followers
  assert(b !== undefined && c !== undefined, 'two followers')
  return { script, a: script.leader, b, c }
}

/** A checkpoint every few entries, and no log behind it: who is away for a moment needs a snapshot. */
export const eager: KeepingOptions = {
  entries: 6,
  logBytes: 1_000_000,
  records: 1_000_000,
  tailBytes: 0,
  heldBytesMax: 1_000_000,
}

/** Locks come and go at `node` until those who run have forgotten everything before. */
export function work(script: Script, node: Machine, times = 12): void {
  const lock = asLockName('work')
  for (let count = 0; count < times; count++) script.release(node, script.hold(node, { lock }))
}

/** How often the world has said something. */
export function said(script: Script, pattern: RegExp): number {
  return script.lines.filter((line) => pattern.test(line)).length
}

/** An empty disk in place of the one there is, which is refused. Returns what it is called. */
export function wipe(script: Script, machine: Machine): Incarnation {
  const { failures } = script.world
  machine.wipe()
  machine.start()
  script.until(() => failures.has(machine.id), `${machine.id} is refused`)
  assert(failures.get(machine.id)?.code === 'stranger', () => `${machine.id} is a stranger`)
  failures.delete(machine.id)
  return incarnationOf(machine)
}

/** A disk that the machine has had is in place of the one it has. */
export function remount(machine: Machine, disk: MemoryDisk): void {
  machine.mount(disk)
}

/** An operator asks `member` to have `machine` be who has its present disk; the answer. */
export function askToTakeIn(script: Script, machine: Machine, member: Machine): string {
  const incarnation = incarnationOf(machine)
  let answer: string | null = null
  script.world.operator.asked.add(incarnation)
  const done = (result: string): void => void (answer = result)
  script.replicaOf(member).replace({ member: machine.id, incarnation, done })
  script.until(() => answer !== null, 'an answer')
  return answer ?? ''
}

/** Has a wiped machine taken in through `member`, and waits until it counts. */
export function takeIn(script: Script, machine: Machine, member: Machine): void {
  const answer = askToTakeIn(script, machine, member)
  assert(answer === 'done', () => `${machine.id} is taken in, not ${answer}`)
  machine.start()
  script.until(() => doesCount(machine), `${machine.id} counts`)
}

export function doesCount({ isUp, node, disk }: Machine): boolean {
  return isUp && node?.replica?.hasState === true && (disk.durable().meta?.counted ?? null) !== null
}

export function leads({ isUp, node }: Machine): boolean {
  return isUp && node?.replica?.core.raft.role.kind === 'leader'
}

function incarnationOf({ id, disk }: Machine): Incarnation {
  const { meta } = disk.durable()
  assert(meta !== null, () => `${id} has a name`)
  return meta.incarnation
}
