// `holdfast elect NAME -- command`: stands for election for ever and runs the command whenever it is leader. An office that
// is lost ends the command (as `run` does) and the campaign goes on; a command that ends by itself ends the candidacy,
// with its code: whoever started us decides whether that was meant. Without a command it only watches: a line for every
// change of the leader. An office is a lock, what the candidate says of itself (`--value`) is shown in its metadata.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { Option } from 'commander'
import { isHoldfastError } from '../client/errors.ts'
import type { ErrorCode } from '../client/errors.ts'
import type { Lock } from '../client/types.ts'
import { closeClient, openClient, openStore } from './connection.ts'
import type { LockClient } from '../client/lock-client.ts'
import { failureOf } from './failures.ts'
import { everyOption, ownerOption, ttlOption, withConnection, withExamples } from './flags.ts'
import type { ConnectionFlags } from './flags.ts'
import { Output } from './output.ts'
import { graceOption } from './run.ts'
import { SignalDesk } from './signals.ts'
import { commandBehind, prepare, runUnder } from './under-lock.ts'
import { watchHolder } from './watch.ts'

interface ElectFlags extends ConnectionFlags {
  readonly ttl: number
  readonly grace?: number
  readonly owner?: string
  readonly value?: string
  readonly every: number
}

export function addElect(program: Command): void {
  const command = withExamples(
    program.command('elect'),
    'holdfast elect scheduler --value "$(hostname):8080" -- ./scheduler',
    'holdfast elect scheduler                # who leads, a line for every change',
  )
    .summary('runs a command while it is leader, or shows who leads')
    .description(about)
    .usage('[options] <name> [-- <command> [arguments..]]')
    .argument('<name>', 'of the office')
    .argument('[command...]', 'behind --: the command and its arguments')
    .addOption(ttlOption())
    .addOption(graceOption())
    .addOption(ownerOption())
    .addOption(new Option('--value <text>', 'shown to whoever asks for the leader: an address, say'))
    .addOption(everyOption())
  withConnection(command)
    .addHelpText('after', details)
    .action(async (name: string, words: readonly string[], flags: ElectFlags) => {
      process.exitCode =
        words.length === 0 ? await watchLeader(name, flags) : await elect(name, commandBehind(words), flags)
    })
}

const about =
  'Stands in line for as long as it takes and runs the command while it is leader. Without a command it prints who leads, ' +
  'and a line for every change.'

const details = `
The command is guarded as by \`holdfast run\` (see there for signals, the grace,
the environment and exit codes). When the office is lost the command is ended,
and the campaign goes on. When the command ends by itself the candidacy ends,
with its exit code.`

async function elect(name: string, command: readonly string[], flags: ElectFlags): Promise<number> {
  const output = new Output(flags)
  using signals = new SignalDesk()
  const client = openClient(flags, { ttlMs: flags.ttl, owner: flags.owner })
  try {
    for (;;) {
      const prepared = await prepare({ command, ttlMs: flags.ttl, graceMs: flags.grace })
      const lock = await campaign({ client, name, flags, signals, output })
      output.remark(`elected ${name}, token ${lock.token}`)
      const end = await runUnder({ lock, prepared, signals, output })
      if (end.kind === 'ended') return end.code
      output.remark(`lost ${name}: the command was ended, the campaign goes on`)
    }
  } catch (error) {
    if (signals.code !== null) return signals.code
    throw error
  } finally {
    await closeClient(client, output)
  }
}

interface Campaign {
  readonly client: LockClient
  readonly name: string
  readonly flags: ElectFlags
  readonly signals: SignalDesk
  readonly output: Output
}

/** These pass: a campaign outlives them. */
const passing: ReadonlySet<ErrorCode> = new Set([
  'unreachable',
  'bad_answer',
  'outcome_unknown',
  'no_leader',
  'overloaded',
  'disk_low',
  'wait_timeout',
  'session_ended',
  'session_unknown',
  'lock_lost',
])
const pauseMs = 1000
/**
 * As long as a request without a session may wait; then it stands in line anew. A place in line matters less to an office
 * than that who is deposed (its token was given back from outside) finds out at the next renewal, which a session hides.
 */
const waitMs = 240_000

async function campaign({ client, name, flags, signals, output }: Campaign): Promise<Lock> {
  const metadata = flags.value === undefined ? {} : { metadata: { value: flags.value } }
  let lastCode: ErrorCode | null = null
  for (;;) {
    try {
      return await client.acquire(name, { waitMs, signal: signals.ended, ...metadata })
    } catch (error) {
      if (!isHoldfastError(error) || !passing.has(error.code)) throw error
      if (error.code === 'wait_timeout') continue
      // Once for every kind of trouble, not for every attempt.
      if (error.code !== lastCode) output.remark(`${failureOf(error).message} (the campaign goes on)`)
      lastCode = error.code
      await sleep(pauseMs * (0.5 + Math.random()), undefined, { signal: signals.ended })
    }
  }
}

async function watchLeader(name: string, flags: ElectFlags): Promise<number> {
  const output = new Output(flags)
  using signals = new SignalDesk()
  await using store = openStore(flags)
  await watchHolder({
    store,
    name,
    everyMs: flags.every,
    signals,
    output,
    words: { held: 'leader', free: 'no leader' },
  })
  return signals.code ?? 0
}
