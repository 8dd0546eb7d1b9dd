// `holdfast run NAME -- command`: takes the lock, runs the command under it, gives the lock back, and ends as the command
// does. The command is dead before anybody else can hold the lock: see guarded-command.ts and watchdog.ts.
import { Option } from 'commander'
import type { Command } from 'commander'
import { closeClient, openClient } from './connection.ts'
import { durationText } from './durations.ts'
import { exitCodes } from './exit-codes.ts'
import { Failure } from './failures.ts'
import { count, duration, durationOrForever, ownerOption, ttlOption, withConnection, withExamples } from './flags.ts'
import type { ConnectionFlags } from './flags.ts'
import { commandBehind, prepare, runUnder } from './under-lock.ts'
import { Output } from './output.ts'
import { SignalDesk } from './signals.ts'
import { isHoldfastError } from '../client/errors.ts'

export interface RunFlags extends ConnectionFlags {
  readonly ttl: number
  readonly wait: number
  readonly grace?: number
  readonly owner?: string
  readonly conflictCode: number
}

export function addRun(program: Command): void {
  const command = withExamples(
    program.command('run'),
    'holdfast run nightly-report -- ./report.sh',
    'holdfast run --ttl 10s --wait 5m deploy -- make deploy',
    'holdfast run --wait 0 --conflict-code 0 hourly -- ./job.sh     # in a crontab of several machines',
  )
    .summary('runs a command while it holds a lock')
    .description(about)
    .usage('[options] <name> -- <command> [arguments..]')
    .argument('<name>', 'of the lock')
    .argument('<command...>', 'behind --: the command and its arguments')
    .addOption(ttlOption())
    .addOption(waitOption('10s'))
    .addOption(graceOption())
    .addOption(ownerOption())
    .addOption(
      new Option('--conflict-code <code>', 'exit code when somebody else holds the lock')
        .default(exitCodes.not_acquired.code)
        .argParser(count({ min: 0, max: 255 })),
    )
  withConnection(command)
    .addHelpText('after', details)
    .action(async (name: string, words: readonly string[], flags: RunFlags) => {
      process.exitCode = await run(name, commandBehind(words), flags)
    })
}

export function waitOption(byDefault: string): Option {
  return new Option('--wait <duration>', 'how long to stand in line; 0 is a try, `forever` has no end')
    .default(durationOrForever(byDefault), byDefault)
    .argParser(durationOrForever)
}

export function graceOption(): Option {
  return new Option(
    '--grace <duration>',
    'between SIGTERM and SIGKILL when the lock cannot be kept (default: 5s, or a third of a shorter --ttl)',
  ).argParser(duration({ minMs: 0 }))
}

const about =
  'Takes the lock, runs the command under it, gives the lock back, and ends with the exit code of the command ' +
  '(128 + n when a signal ended it).'

/** Lines that fit any terminal: commander leaves them as they are. */
const details = `
Signals are handed on to the command. When the lock cannot be kept, the command
gets SIGTERM a grace before the deadline, and it and everything that it started
SIGKILL at the deadline, by the local clock. SIGKILL comes at once when this
process is killed, and at the deadline when it is stopped: a watchdog process
sees to it. What the command leaves running when it ends is ended as well
(SIGTERM, and SIGKILL after the grace) before the lock is given back.

The command has a session of its own: it may read from the terminal but is not
stopped by it, and it has no /dev/tty. It finds in its environment
  HOLDFAST_LOCK         the name of the lock
  HOLDFAST_TOKEN        the fencing token, for every resource that it guards
  HOLDFAST_DEADLINE_MS  when the lock will be lost if it is never renewed from
                        the start of the command on: milliseconds of the clock
                        since boot (/proc/uptime; where there is none, of the
                        monotonic clock)

Exit codes of its own:
${(
  [
    'usage',
    'not_acquired',
    'lost',
    'unreachable',
    'outcome_unknown',
    'refused',
    'cannot_run',
    'no_such_command',
  ] as const
)
  .map((ending) => `  ${exitCodes[ending].code}  ${exitCodes[ending].meaning}`)
  .join('\n')}`

export async function run(name: string, command: readonly string[], flags: RunFlags): Promise<number> {
  const output = new Output(flags)
  using signals = new SignalDesk()
  const prepared = await prepare({ command, ttlMs: flags.ttl, graceMs: flags.grace })
  const client = openClient(flags, { ttlMs: flags.ttl, owner: flags.owner })
  try {
    const lock = await client.acquire(name, { waitMs: flags.wait, signal: signals.ended })
    const end = await runUnder({ lock, prepared, signals, output })
    if (end.kind === 'ended') return end.code
    throw new Failure('lost', `${name} was lost, and the command was ended. Who needs it takes it again`)
  } catch (error) {
    if (signals.code !== null) return signals.code
    const isConflict = isHoldfastError(error) && (error.code === 'lock_held' || error.code === 'wait_timeout')
    if (isConflict && flags.conflictCode !== exitCodes.not_acquired.code) {
      output.remark(`${name} was not free within ${durationText(flags.wait)}; nothing was started`)
      return flags.conflictCode
    }
    throw error
  } finally {
    await closeClient(client, output)
  }
}
