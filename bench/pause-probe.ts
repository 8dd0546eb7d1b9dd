// Loaded into the processes of nodes beside the program (`node --import`): how long their event loops stand still, and what
// their heaps hold. /metrics has the same in coarser steps; a benchmark must see pauses of a few milliseconds and ask for
// them between two loads. A loop stands still also when others have the processors, which on a small machine full of
// clients is most of it: what the loop's own thread computed meanwhile is told beside it. Answers when the parent asks, and
// does not keep the process alive.
import { closeSync, openSync, readSync } from 'node:fs'
import { createHistogram } from 'node:perf_hooks'

/** What is shorter is not seen. */
const lookEveryMs = 2

/** What the parent hears, in answer to whatever it sends. */
export interface Probed {
  /** Since the last answer. */
  readonly pauses: Pauses
  /** After a full collection when the parent asked for `memory`; null when not. */
  readonly heapBytes: number | null
}

/** The longest, and that which one in a thousand looks at the loop exceeds. */
export interface Pauses {
  readonly maxMs: number
  readonly p999Ms: number
  /** The same of what the thread computed between two looks; 0 where the system does not tell. */
  readonly computedMaxMs: number
  readonly computedP999Ms: number
}

const paused = createHistogram()
const computed = createHistogram()
const schedstat = openSchedstat()
const buffer = Buffer.alloc(64)
let last = look()

setInterval(() => {
  const now = look()
  record(paused, now.wallMs - last.wallMs - lookEveryMs)
  record(computed, now.computedMs - last.computedMs)
  last = now
}, lookEveryMs).unref()

process.on('message', (question) => {
  const pauses = {
    maxMs: paused.max / 1000,
    p999Ms: paused.percentile(99.9) / 1000,
    computedMaxMs: computed.max / 1000,
    computedP999Ms: computed.percentile(99.9) / 1000,
  }
  const heapBytes = question === 'memory' ? collectedBytes() : null
  paused.reset()
  computed.reset()
  // A collection that was asked for is no pause of the node's own.
  last = look()
  process.send?.({ pauses, heapBytes } satisfies Probed)
})
process.channel?.unref()

function look() {
  return { wallMs: performance.now(), computedMs: computedMs() }
}

/** In whole microseconds, which start at 1. */
function record(histogram: typeof paused, ms: number): void {
  histogram.record(Math.max(1, Math.round(ms * 1000)))
}

/** What the main thread has computed since its start. */
function computedMs(): number {
  if (schedstat === null) return 0
  const length = readSync(schedstat, buffer, 0, buffer.length, 0)
  return Number.parseInt(buffer.toString('latin1', 0, length)) / 1e6
}

/** Linux alone has it. */
function openSchedstat(): number | null {
  try {
    const file = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r')
    process.once('exit', () => closeSync(file))
    return file
  } catch {
    return null
  }
}

function collectedBytes(): number {
  if (gc === undefined) throw new Error('run with --expose-gc')
  gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
