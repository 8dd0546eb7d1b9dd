// `holdfast watch NAME`: a line for every change of a lock's holder, until it is interrupted. It asks again and again: what
// happened between two questions and was over is not seen, but for the token, which only grows. A cluster that does not
// answer for a while is told as a remark, and the watch goes on.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { isHoldfastError } from '../client/errors.ts'
import { openStore } from './connection.ts'
import type { LockNow, Store } from './connection.ts'
import { failureOf } from './failures.ts'
import { everyOption, withConnection, withExamples } from './flags.ts'
import type { ConnectionFlags } from './flags.ts'
import { Output } from './output.ts'
import { SignalDesk } from './signals.ts'
import { printable } from './table.ts'

interface WatchFlags extends ConnectionFlags {
  readonly every: number
}

export function addWatch(program: Command): void {
  const command = withExamples(
    program.command('watch'),
    'holdfast watch nightly-report',
    'holdfast watch nightly-report --json --every 200ms',
  )
    .summary('prints every change of the holder of a lock')
    .description('Prints who holds the lock, and a line for every change, until it is interrupted.')
    .argument('<name>', 'of the lock')
    .addOption(everyOption())
  withConnection(command).action(async (name: string, flags: WatchFlags) => {
    process.exitCode = await watch(name, flags)
  })
}

async function watch(name: string, flags: WatchFlags): Promise<number> {
  const output = new Output(flags)
  using signals = new SignalDesk()
  await using store = openStore(flags)
  await watchHolder({ store, name, everyMs: flags.every, signals, output, words: { held: 'held by', free: 'free' } })
  return signals.code ?? 0
}

interface Watch {
  readonly store: Store
  readonly name: string
  readonly everyMs: number
  readonly signals: SignalDesk
  readonly output: Output
  readonly words: { readonly held: string; readonly free: string }
}

/** Returns when a signal ends it. */
export async function watchHolder({ store, name, everyMs, signals, output, words }: Watch): Promise<void> {
  const { ended } = signals
  let before: LockNow | null = null
  let isSilent = false
  while (!ended.aborted) {
    try {
      const now = await store.operations.lock(name, { signal: ended })
      if (before === null || tokenOf(before) !== tokenOf(now)) tell(now, output, words)
      before = now
      isSilent = false
    } catch (error) {
      if (ended.aborted) return
      const failure = failureOf(error)
      if (!isHoldfastError(error) || failure.ending === 'usage') throw error
      if (!isSilent) output.remark(`${failure.message} (the watch goes on)`)
      isSilent = true
    }
    await sleep(everyMs, undefined, { signal: ended }).catch(() => {})
  }
}

function tokenOf({ holders: [holder] }: LockNow): number | null {
  return holder?.token ?? null
}

function tell(now: LockNow, output: Output, words: Watch['words']): void {
  const at = new Date().toISOString()
  const [holder = null] = now.holders
  const value = holder?.metadata?.['value']
  const json = { at, lock: now.lock, holder, queueLength: now.queueLength }
  output.result(json, () => {
    if (holder === null) return [`${at}  ${words.free}`]
    const owner = printable(holder.owner ?? holder.session ?? 'somebody')
    const said = value === undefined ? '' : `  ${printable(typeof value === 'string' ? value : JSON.stringify(value))}`
    return [`${at}  ${words.held} ${owner}  token ${holder.token}${said}`]
  })
}
