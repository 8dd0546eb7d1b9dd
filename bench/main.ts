// `npm run bench`: a fresh cluster per round, every load in every round, medians over the rounds. Options: --rounds N,
// --seconds N (of each load), --only SUBSTRING (of a load's name), --json FILE (.bench.json), --compare FILE
// (an earlier JSON).
// `npm run bench -- failover [--trials N]`: outages after SIGKILL and SIGSTOP of the leader.
// `npm run bench -- million [--locks N] [--sessions N] [--minutes N]`: a million held locks; --only held, cost or endless.
// `npm run bench -- client`: what the client costs beside a bare agent, and for locks that are just held; --only 16, 64, idle.
import { parseArgs } from 'node:util'
import { measureBare } from './bare.ts'
import { measureClient } from './client.ts'
import { BenchCluster } from './cluster.ts'
import { measureContended } from './contended.ts'
import { measureFailover } from './failover.ts'
import { measureMillion } from './million.ts'
import { measurePairs } from './pairs.ts'
import { Gathering, print, readReport, writeReport } from './report.ts'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    locks: { type: 'string', default: '1000000' },
    sessions: { type: 'string', default: '10000' },
    minutes: { type: 'string', default: '10' },
    trials: { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
    json: { type: 'string', default: '.bench.json' },
    compare: { type: 'string' },
  },
})

const gathering = new Gathering()
const isWanted = (load: string) => load.includes(options.only)

if (positionals[0] === 'failover') await runFailover(Number(options.trials))
else if (positionals[0] === 'million') await runMillion()
else if (positionals[0] === 'client') await runClient()
else for (let round = 0; round < Number(options.rounds); round++) await runRound(Number(options.seconds))

const report = gathering.report(new Date())
print(report, options.compare === undefined ? null : readReport(options.compare))
writeReport(options.json, report)
console.log(`\n${options.json} has these figures; --compare shows a later run beside a copy of it`)

async function runRound(seconds: number): Promise<void> {
  if (isWanted('bare Fastify')) {
    const bare = await measureBare(64, Math.min(3, seconds))
    gathering.add('bare Fastify, C = 64', {
      requests: [bare.requestsPerSecond, '/s'],
      'CPU of the server per request': [bare.serverCpuMicros, 'us'],
    })
  }
  await using cluster = await BenchCluster.start(3)
  // What runs for days is compiled: without this the first loads would measure the compiler.
  await measurePairs(cluster, { nodes: cluster.nodes, clients: 64, seconds: 0.1, warmUpSeconds: 6 })
  const leader = await cluster.leader()
  for (const clients of [1, 16, 64, 256]) {
    for (const [where, nodes] of [
      ['through the leader', [leader]],
      ['spread over all nodes', cluster.nodes],
    ] as const) {
      const load = `pairs, C = ${clients}, ${where}`
      if (!isWanted(load)) continue
      const result = await measurePairs(cluster, { nodes, clients, seconds, warmUpSeconds: 2 })
      gathering.add(load, {
        pairs: [result.pairsPerSecond, '/s'],
        'pair, p50': [result.p50Ms, 'ms'],
        'pair, p99': [result.p99Ms, 'ms'],
        'CPU of all nodes per pair': [result.nodeCpuMicros, 'us'],
        'CPU of the clients per pair': [result.clientCpuMicros, 'us'],
        'commands per log entry': [result.commandsPerEntry, ''],
        'fsyncs per pair, all nodes': [result.fsyncsPerPair, ''],
      })
    }
  }
  for (const [where, nodes] of [
    ['through the leader', [leader]],
    ['spread over all nodes', cluster.nodes],
  ] as const) {
    const load = `one lock, 64 waiters, ${where}`
    if (!isWanted(load)) continue
    const result = await measureContended({ nodes, waiters: 64, seconds, warmUpSeconds: 2 })
    gathering.add(load, {
      'hand-overs': [result.handOversPerSecond, '/s'],
      'release sent to next answered, p50': [result.p50Ms, 'ms'],
      'release sent to next answered, p99': [result.p99Ms, 'ms'],
    })
  }
}

async function runMillion(): Promise<void> {
  const { locks, sessions, minutes, rounds, seconds } = options
  const counts = { locks: Number(locks), sessions: Number(sessions), minutes: Number(minutes) }
  const loads = { rounds: Number(rounds), loadSeconds: Number(seconds) }
  await measureMillion({ ...counts, ...loads, isWanted }, gathering)
}

async function runClient(): Promise<void> {
  await measureClient({ rounds: Number(options.rounds), loadSeconds: Number(options.seconds), isWanted }, gathering)
}

async function runFailover(trials: number): Promise<void> {
  for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
    const { outagesMs } = await measureFailover(signal, trials, 16)
    for (const outageMs of outagesMs)
      gathering.add(`${signal} of the leader, 16 clients at the others`, { 'to the next grant': [outageMs, 'ms'] })
  }
}
