// `holdfast top`: the screen of top-screen.ts, made anew every second, until q, control-C or the end of `--frames`. On a
// terminal it takes the alternate screen and gives it back at any end; otherwise the frames follow each other as text.
import { setTimeout as sleep } from 'node:timers/promises'
import { Option } from 'commander'
import type { Command } from 'commander'
import { isHoldfastError } from '../client/errors.ts'
import { processSurroundings } from '../client/surroundings.ts'
import { openStore } from './connection.ts'
import type { Store } from './connection.ts'
import { count, everyOption, withConnection, withExamples } from './flags.ts'
import type { ConnectionFlags } from './flags.ts'
import { askNodes } from './nodes.ts'
import { Output } from './output.ts'
import { readPages } from './pages.ts'
import { SignalDesk } from './signals.ts'
import { screenOf } from './top-screen.ts'
import type { Line, Size, Snapshot } from './top-screen.ts'

interface TopFlags extends ConnectionFlags {
  readonly every: number
  readonly frames: number
  readonly once: boolean
}

/** So many are read for a frame: a look at a store of millions must not be a load on it. */
const locksMax = 5000
/** A frame does not wait longer for who does not answer. */
const patienceMs = 2000
/** Without a terminal nobody says how large it is. */
const paper: Size = { columns: 120, rows: 40 }

export function addTop(program: Command): void {
  const command = withExamples(program.command('top'), 'holdfast top', 'holdfast top --once')
    .summary('a live screen: the cluster, held locks, longest queues')
    .description(
      `Shows the cluster, the locks held for longest and the longest queues; q ends it. It reads the first ${locksMax} locks.`,
    )
    .addOption(everyOption())
    .addOption(
      new Option('--frames <count>', 'ends after so many').default(Infinity, 'no end').argParser(count({ min: 1 })),
    )
    .option('--once', 'shows one frame, as text', false)
  withConnection(command).action(async (flags: TopFlags) => {
    process.exitCode = await top(flags)
  })
}

async function top(flags: TopFlags): Promise<number> {
  const output = new Output(flags)
  using signals = new SignalDesk()
  await using store = openStore(flags)
  const framesMax = flags.once ? 1 : flags.frames
  using screen = process.stdout.isTTY && !flags.once && !output.isJson ? new Screen(signals) : null
  let before: Snapshot | null = null
  for (let frame = 0; frame < framesMax && !signals.ended.aborted; frame++) {
    if (frame > 0) await sleep(flags.every, undefined, { signal: signals.ended }).catch(() => {})
    if (signals.ended.aborted) break
    const now = await take(store, flags, signals.ended)
    const lines = (size: Size): readonly Line[] => screenOf(now, before, size)
    if (screen !== null) screen.paint(lines)
    else output.result(now, () => [...(frame === 0 ? [] : ['']), ...lines(paper).map(({ text }) => text)])
    before = now
  }
  return signals.code ?? 0
}

async function take(store: Store, { endpoints }: ConnectionFlags, signal: AbortSignal): Promise<Snapshot> {
  const surroundings = processSurroundings()
  const [nodes, { items, isCut }] = await Promise.all([
    askNodes(surroundings, { endpoints, timeoutMs: patienceMs }),
    readLocks(store, signal),
  ])
  surroundings.close()
  return { at: new Date(), monotonicMs: performance.now(), nodes, locks: items, isCut }
}

/** Without a majority nothing can be read: that is shown, not an end. */
async function readLocks(store: Store, signal: AbortSignal): Promise<{ items: Snapshot['locks']; isCut: boolean }> {
  try {
    return await readPages(locksMax, async (page) => {
      const { locks, cursor } = await store.operations.locks(page, { signal, timeoutMs: patienceMs })
      return { items: locks, cursor }
    })
  } catch (error) {
    if (!isHoldfastError(error)) throw error
    return { items: null, isCut: false }
  }
}

/** The terminal: its alternate screen, no cursor, keys as they are pressed. */
class Screen implements Disposable {
  readonly #isBold = process.env['NO_COLOR'] === undefined || process.env['NO_COLOR'] === ''
  #last: ((size: Size) => readonly Line[]) | null = null
  readonly #signals: SignalDesk

  constructor(signals: SignalDesk) {
    this.#signals = signals
    process.stdout.write('\x1b[?1049h\x1b[?25l')
    process.on('exit', this.#leave)
    signals.deliverTo((signal) => {
      if (signal === 'SIGWINCH') this.#repaint()
      else if (signal === 'SIGTSTP') this.#pause()
      else if (signal === 'SIGCONT') this.#resume()
      else if (signal !== 'SIGUSR1' && signal !== 'SIGUSR2') signals.end(signal)
    })
    if (process.stdin.isTTY) process.stdin.setRawMode(true).on('data', this.#onKey)
  }

  paint(lines: (size: Size) => readonly Line[]): void {
    this.#last = lines
    this.#repaint()
  }

  [Symbol.dispose](): void {
    process.off('exit', this.#leave)
    this.#signals.deliverTo(null)
    this.#leave()
    process.stdin.off('data', this.#onKey).pause()
  }

  #repaint(): void {
    // Some terminals do not say how large they are.
    const size = { columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 }
    const lines = this.#last?.(size) ?? []
    const painted = lines.map(({ text, isTitle }) => `${isTitle && this.#isBold ? `\x1b[1m${text}\x1b[m` : text}\x1b[K`)
    process.stdout.write(`\x1b[H${painted.join('\r\n')}\x1b[J`)
  }

  readonly #leave = (): void => {
    if (process.stdin.isTTY) process.stdin.setRawMode(false)
    process.stdout.write('\x1b[?25h\x1b[?1049l')
  }

  #pause(): void {
    this.#leave()
    process.kill(process.pid, 'SIGSTOP')
  }

  #resume(): void {
    if (process.stdin.isTTY) process.stdin.setRawMode(true)
    process.stdout.write('\x1b[?1049h\x1b[?25l')
    this.#repaint()
  }

  /** In raw mode the terminal makes no signals: control-C and control-Z are keys. */
  readonly #onKey = (keys: Buffer): void => {
    const text = keys.toString()
    if (text === 'q' || text === 'Q') this.#signals.end(null)
    if (text === '\x03') this.#signals.end('SIGINT')
    if (text === '\x1a') this.#pause()
  }
}
