// `acquire`, `renew` and `release`: a lock for shell scripts, which hold it by its token and nothing else. Nobody renews it
// but the script itself, so a script that dies gives it back after the TTL.
import { hostname } from 'node:os'
import { Option } from 'commander'
import type { Command } from 'commander'
import { elapsedMs, systemClock } from '../client/clock.ts'
import type { Instant } from '../client/clock.ts'
import { openStore } from './connection.ts'
import { durationText } from './durations.ts'
import { count, duration, ownerOption, ttlOption, withConnection, withExamples } from './flags.ts'
import type { ConnectionFlags } from './flags.ts'
import { Output } from './output.ts'
import { SignalDesk } from './signals.ts'

/** Who holds the lock is the script that called us: we are gone in a moment. */
const script = `${hostname()}:${process.ppid}`
/** A request that nobody keeps alive waits at its connection. */
const waitMaxMs = 240_000

interface AcquireFlags extends ConnectionFlags {
  readonly ttl: number
  readonly wait: number
  readonly owner?: string
}

interface RenewFlags extends ConnectionFlags {
  readonly ttl?: number
}

export function addAcquire(program: Command): void {
  const command = withExamples(
    program.command('acquire'),
    'token=$(holdfast acquire --ttl 1m --wait 10s backup) || exit',
    './backup.sh "$token"; holdfast release backup "$token"',
  )
    .summary('takes a lock and prints its token; for scripts')
    .description(
      'Takes the lock and prints its fencing token. It ends after --ttl unless `holdfast renew` is called before; `holdfast run` does that by itself.',
    )
    .argument('<name>', 'of the lock')
    .addOption(ttlOption())
    .addOption(
      new Option('--wait <duration>', 'how long to stand in line, up to 4m; 0 is a try')
        .default(10_000, '10s')
        .argParser(duration({ maxMs: waitMaxMs })),
    )
    .addOption(ownerOption())
  withConnection(command).action(async (name: string, flags: AcquireFlags) => {
    process.exitCode = await acquire(name, flags)
  })
}

export function addRenew(program: Command): void {
  const command = withExamples(program.command('renew'), 'holdfast renew backup "$token" || exit')
    .summary('renews a lock by its token; for scripts')
    .description('Renews the lock: it is held for its TTL from now on. Prints for how long it surely is.')
    .argument('<name>', 'of the lock')
    .argument('<token>', 'as `holdfast acquire` printed it', count({ min: 1 }))
    .addOption(new Option('--ttl <duration>', 'from now on (default: as before)').argParser(duration({ minMs: 1000 })))
  withConnection(command).action(async (name: string, token: number, flags: RenewFlags) => {
    process.exitCode = await renew(name, token, flags)
  })
}

export function addRelease(program: Command): void {
  const command = withExamples(program.command('release'), 'holdfast release backup "$token"')
    .summary('gives a lock back by its token; for scripts')
    .description('Gives the lock back. May be repeated.')
    .argument('<name>', 'of the lock')
    .argument('<token>', 'as `holdfast acquire` printed it', count({ min: 1 }))
  withConnection(command).action(async (name: string, token: number, flags: ConnectionFlags) => {
    process.exitCode = await release(name, token, flags)
  })
}

async function acquire(lock: string, flags: AcquireFlags): Promise<number> {
  const output = new Output(flags)
  using signals = new SignalDesk()
  await using store = openStore(flags, flags.owner ?? script)
  try {
    const asked = { lock, ttlMs: flags.ttl, waitMs: flags.wait, signal: signals.ended, timeoutMs: flags.timeout }
    const { token, sequence, ttlMs, validForMs, sentAt } = await store.operations.acquire(asked)
    output.result({ lock, token, sequence, ttlMs, ...validity({ validForMs, sentAt }) }, () => [String(token)])
    return 0
  } catch (error) {
    if (signals.code !== null) return signals.code
    throw error
  }
}

async function renew(lock: string, token: number, flags: RenewFlags): Promise<number> {
  await using store = openStore(flags)
  const ttl = flags.ttl === undefined ? {} : { ttlMs: flags.ttl }
  const renewed = validity(await store.operations.renewLock({ lock, token, ...ttl }))
  new Output(flags).result({ lock, token, ...renewed }, () => [durationText(renewed.remainingMs)])
  return 0
}

async function release(lock: string, token: number, flags: ConnectionFlags): Promise<number> {
  await using store = openStore(flags)
  await store.operations.release({ lock, token })
  new Output(flags).result({ lock, token, released: true }, () => [])
  return 0
}

/** `deadlineMs` is on the clock of HOLDFAST_DEADLINE_MS: scripts find it in /proc/uptime. */
function validity({ validForMs, sentAt }: { readonly validForMs: number; readonly sentAt: Instant }): {
  readonly remainingMs: number
  readonly deadlineMs: number
} {
  const remainingMs = Math.max(0, Math.floor(validForMs - elapsedMs({ from: sentAt, to: systemClock.now() })))
  return { remainingMs, deadlineMs: Math.floor((sentAt.sinceBootMs ?? sentAt.monotonicMs) + validForMs) }
}
