// Loaded into the processes of nodes beside the program (`node --import`): how long their event loops stand still, and what
// their heaps hold. /metrics has the same in coarser steps; a benchmark must see pauses of a few milliseconds and ask for
// them between two loads. Answers when the parent asks and does not keep the process alive.
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** What is shorter is not seen. */
const resolutionMs = 2

/** What the parent hears, in answer to whatever it sends. */
export interface Probed {
  /** Since the last answer: the longest pause, and that which one in a thousand looks at the loop exceeds. */
  readonly pauseMaxMs: number
  readonly pauseP999Ms: number
  /** After a full collection when the parent asked for `memory`; null when not. */
  readonly heapBytes: number | null
}

const delay = monitorEventLoopDelay({ resolution: resolutionMs })
delay.enable()

process.on('message', (question) => {
  const [pauseMaxMs, pauseP999Ms] = [pauseMs(delay.max), pauseMs(delay.percentile(99.9))]
  const heapBytes = question === 'memory' ? collectedBytes() : null
  // A collection that was asked for is no pause of the node's own.
  setImmediate(() => delay.reset())
  process.send?.({ pauseMaxMs, pauseP999Ms, heapBytes } satisfies Probed)
})
process.channel?.unref()

/** The histogram holds the times between two looks, in nanoseconds. */
function pauseMs(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e6 - resolutionMs)
}

function collectedBytes(): number {
  if (gc === undefined) throw new Error('run with --expose-gc')
  gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
