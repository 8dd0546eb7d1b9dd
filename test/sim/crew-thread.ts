// One thread of a crew: it is told seeds, plays them, and says what came of each.
import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '../../src/assert.ts'
import type { Manner, Verdict } from './crew.ts'
import { runSeed, runTwice, SeedFailed } from './run.ts'

assert(parentPort !== null, 'a thread of a crew')
const port = parentPort
const { only, twice }: Manner = workerData

port.on('message', (seed: number) => port.postMessage(play(seed)))

function play(seed: number): Verdict {
  try {
    return { kind: 'passed', seed, result: twice ? runTwice(seed, { only }) : runSeed(seed, { only }) }
  } catch (error) {
    if (!(error instanceof SeedFailed)) throw error
    return { kind: 'failed', seed, message: error.message }
  }
}
