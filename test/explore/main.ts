// `npm run explore` walks every interleaving of a small cluster of the real core, and with `--world locks` every order of
// a few commands to the real lock table. The README says what the options bound. Exits with 1 at a broken promise, and
// prints the shortest way to it.
import { parseArgs } from 'node:util'
import { assert } from '../../src/assert.ts'
import { lockModel } from './lock-model.ts'
import { raftModel, smallestBounds } from './raft-model.ts'
import { explore } from './search.ts'
import type { Report } from './search.ts'

const { values } = parseArgs({
  options: {
    world: { type: 'string', default: 'raft' },
    states: { type: 'string', default: '2000000' },
    seconds: { type: 'string', default: '600' },
    terms: { type: 'string', default: '2' },
    commands: { type: 'string', default: '1' },
    drops: { type: 'string', default: '0' },
    duplicates: { type: 'string', default: '0' },
    crashes: { type: 'string', default: '0' },
    heartbeats: { type: 'string', default: '0' },
    network: { type: 'string', default: 'fifo' },
    from: { type: 'string', default: 'nothing' },
    passes: { type: 'string', default: '2' },
  },
})
const { network, from } = values
assert(network === 'fifo' || network === 'any', '--network fifo or --network any')
assert(values.world === 'raft' || values.world === 'locks', '--world raft or --world locks')
assert(
  from === 'nothing' || from === 'elected' || from === 'uncommitted',
  '--from nothing, --from elected or --from uncommitted',
)
const [terms, commands, drops, duplicates, crashes, heartbeats] = [
  Number(values.terms),
  Number(values.commands),
  Number(values.drops),
  Number(values.duplicates),
  Number(values.crashes),
  Number(values.heartbeats),
]
const bounds = { ...smallestBounds, terms, commands, drops, duplicates, crashes, heartbeats, network, from } as const
const progress = (soFar: Report): void => console.log(line(soFar))
const limits = { statesMax: Number(values.states), secondsMax: Number(values.seconds), progress }
const report =
  values.world === 'raft'
    ? explore(raftModel(bounds), limits)
    : explore(lockModel({ commands, passes: Number(values.passes) }), limits)
console.log(line(report))
if (report.breach !== null) {
  console.log(`${report.breach.message}\n${report.breach.script.map((step) => `  ${step}`).join('\n')}`)
  process.exitCode = 1
} else {
  console.log(report.isWhole ? 'the whole space was walked' : 'the space was not walked whole')
}

function line({ states, transitions, depth, seconds }: Report): string {
  const rate = (states / seconds).toFixed(0)
  return `depth ${depth}: ${states} states, ${transitions} transitions, ${seconds.toFixed(1)} s, ${rate} states/s`
}
