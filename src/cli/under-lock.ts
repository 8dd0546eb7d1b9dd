// A command under a lock, from the grant to the release: what `run` and `elect` have in common.
import { randomBytes } from 'node:crypto'
import type { Lock } from '../client/types.ts'
import { defaultGraceMs, graceMaxMs } from './due.ts'
import { durationText } from './durations.ts'
import { Failure, failureOf } from './failures.ts'
import { findCommand } from './find-command.ts'
import { startGuarded } from './guarded-command.ts'
import type { CommandEnd, GuardedCommand } from './guarded-command.ts'
import type { Output } from './output.ts'
import type { SignalDesk } from './signals.ts'
import { printable } from './table.ts'
import { WatchdogLink } from './watchdog-link.ts'

/** All that can be made ready, and found wrong, before the lock is held. */
export interface Prepared {
  readonly command: readonly string[]
  readonly graceMs: number
  readonly mark: string
  readonly watchdog: WatchdogLink
}

export interface UnderLock {
  readonly lock: Lock
  readonly prepared: Prepared
  readonly signals: SignalDesk
  readonly output: Output
}

/** How long is waited for the cluster to confirm a release: the command has ended, and somebody waits for that. */
const releaseMaxMs = 5000

/** The words behind `--`. Without it a flag of the command would be taken for one of ours. */
export function commandBehind(words: readonly string[], line: readonly string[] = process.argv): readonly string[] {
  const dashes = line.indexOf('--')
  if (dashes === -1 || line.length - dashes - 1 !== words.length)
    throw new Failure(
      'usage',
      'the command stands behind --, like this: holdfast run NAME -- ls -l. Nothing was started',
    )
  return words
}

export async function prepare(asked: {
  readonly command: readonly string[]
  readonly ttlMs: number
  readonly graceMs: number | undefined
}): Promise<Prepared> {
  const { command, ttlMs, graceMs = defaultGraceMs(ttlMs) } = asked
  if (graceMs > graceMaxMs(ttlMs))
    throw new Failure('usage', `--grace is at most half of --ttl, here ${durationText(graceMaxMs(ttlMs))}`)
  refuseMissing(command[0] ?? '')
  const mark = randomBytes(16).toString('hex')
  try {
    return { command, graceMs, mark, watchdog: await WatchdogLink.start(mark) }
  } catch (error) {
    throw new Failure('cannot_run', `the watchdog cannot be started: ${String(error)}. Nothing was started`)
  }
}

function refuseMissing(name: string): void {
  const { kind } = findCommand(name)
  if (kind === 'no_such_command')
    throw new Failure(kind, `there is no command ${printable(name)}. The lock was not taken`)
  if (kind === 'cannot_run') throw new Failure(kind, `${printable(name)} cannot be executed. The lock was not taken`)
}

/** The lock is given back when this resolves, or over. */
export async function runUnder({ lock, prepared, signals, output }: UnderLock): Promise<CommandEnd> {
  // A signal that came with the grant: nothing is started any more.
  if (signals.ended.aborted) {
    await release(lock, output)
    return { kind: 'ended', code: signals.code ?? 0 }
  }
  // From here on signals are the command's, also those that come before it can get them.
  const early: NodeJS.Signals[] = []
  signals.deliverTo((signal) => early.push(signal))
  let guarded: GuardedCommand
  try {
    guarded = await startGuarded({ ...prepared, lock })
  } catch (error) {
    await release(lock, output)
    throw startFailure(prepared.command[0] ?? '', error)
  }
  signals.deliverTo((signal) => guarded.deliver(signal))
  for (const signal of early) guarded.deliver(signal)
  const end = await guarded.end()
  signals.deliverTo(null)
  // A lock that was lost is given back as well, when there is still somebody to hear it; nobody needs to know otherwise.
  await release(lock, end.kind === 'lost' ? null : output)
  return end
}

/** It was found, and could not be started all the same: it is gone since, or is no program. */
function startFailure(name: string, error: unknown): Failure {
  const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
  const why = error instanceof Error ? error.message : String(error)
  return new Failure(
    isMissing ? 'no_such_command' : 'cannot_run',
    `${printable(name)} could not be started: ${printable(why)}. The lock was given back`,
    { cause: error },
  )
}

/** A release that fails changes nothing for the command, which has ended. */
async function release(lock: Lock, output: Output | null): Promise<void> {
  const remainingMs = lock.remainingMs()
  if (remainingMs <= 0) return
  try {
    await lock.release({ timeoutMs: Math.max(1, Math.min(releaseMaxMs, remainingMs)) })
  } catch (error) {
    const left = durationText(remainingMs)
    output?.remark(`${lock.name} was not surely given back (${failureOf(error).message}): it ends by itself in ${left}`)
  }
}
