// Seeds of the simulator that run with every `npm test`: the first few, all that once failed, and some that are made to
// see what a seed seldom draws. Each of them is played twice, and must be the same run, as it must be in another process; and
// the worlds must stay wild, because checks that watch a quiet cluster prove nothing.
import t from 'tap'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { readCorpus } from './corpus.ts'
import { happeningKinds } from './happenings.ts'
import { eager } from './histories/scene.ts'
import { createRandom } from './random.ts'
import { runTwice } from './run.ts'
import type { RunResult } from './run.ts'
import { drawScenario, faultKinds } from './scenario.ts'
import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

// The whole file takes a minute of one core, which may be shared with others.
t.setTimeout(240_000)

const firstSeeds = [1, 2, 3, 4, 5, 6, 7, 8]

const busy = { keeping: eager, clients: 6, faultsMs: 30_000, faultPauseMs: 800, faultMs: 1000, foundingWipes: 0 }

/** Worlds that must be seen in every run, whatever the seeds above happen to draw. */
const arranged: readonly (readonly [seed: string, change: Partial<Scenario>])[] = [
  ['empty disks at the founding', { members: 3, foundingWipes: 2, foundingCrashes: 1, faultsMs: 8000 }],
  ['an empty disk later', { members: 5, foundingWipes: 0, faults: ['wipe', 'crash'], faultPauseMs: 1500 }],
  ['disks that lie', { members: 5, ...busy, faults: ['loseDisk', 'rotLog', 'loseTail', 'crash'] }],
  [
    'disks that come back',
    { members: 3, ...busy, faultPauseMs: 1500, faults: ['loseDisk', 'isolate', 'leaderWithOne', 'crash'] },
  ],
  ['states that rot', { members: 3, ...busy, faults: ['rotState', 'hitInstalls', 'crash'], writeMs: [5, 30] }],
  ['disks that fail', { members: 3, ...busy, faults: ['fullDisk', 'writeError', 'slowedDisk', 'crashAll', 'away'] }],
  ['crashes at the founding', { foundingCrashes: 3, foundingTrouble: true, foundingWipes: 0, faultsMs: 8000 }],
]

/** What is told in the course of a run and must be heard somewhere. */
const wanted = {
  'a disk is replaced at the founding': /founding: \S+ gets an empty disk/,
  'a stranger ends': /ends: stranger/,
  'a process is killed': /^ *\S+ \S+ ends$/,
  'somebody leads a second term': /leads term [2-9]/,
  'a link closes': /link to \S+ closed/,
}

const runs: RunResult[] = []
const heard = new Set<string>()

function run(seed: number | string, change: Partial<Scenario> = {}, only: 'disk' | null = null): RunResult {
  const result = runTwice(seed, { log: listen, change, only })
  runs.push(result)
  return result
}

function listen(line: string): void {
  for (const [what, pattern] of Object.entries(wanted)) if (pattern.test(line)) heard.add(what)
}

t.test('the first seeds keep every promise', async (t) => {
  for (const seed of firstSeeds) run(seed)
  t.equal(runs.length, firstSeeds.length)
})

t.test('the seeds that once failed pass', async (t) => {
  const others = readCorpus().filter(({ seed, only }) => only !== null || !firstSeeds.includes(seed))
  for (const { seed, only, found } of others) t.ok(run(seed, {}, only).operations > 0, `${seed}: ${found}`)
})

t.test('H27 worlds whose disks are replaced keep every promise', async (t) => {
  for (const [seed, change] of arranged) t.ok(run(seed, change).simulatedMs > 0, seed)
})

t.test('RAFT 2, 18: a seed is the same run in a process of its own', async (t) => {
  const main = fileURLToPath(new URL('main.js', import.meta.url))
  const { stdout } = spawnSync(process.execPath, [main, '--seed', '3', '--quiet'], { encoding: 'utf8' })
  const [before, other] = [3, 5].map((seed) => runs.find((result) => result.seed === seed))
  t.match(stdout, `trace ${before?.trace}`)
  t.not(before?.trace, other?.trace, 'and another seed is another run')
})

t.test('RAFT 2, 18: a run that depends on what a seed does not draw is seen, and from when on', async (t) => {
  let played = 0
  // As a node would do that asks the clock of the machine it runs on.
  const prepare = ({ timeline, machines }: World): void => {
    const isSecond = ++played === 2
    timeline.at(7500, () => (isSecond ? machines[0]?.process?.pauseUntil(timeline.now + 5) : undefined))
  }
  t.throws(
    () => runTwice(1, { prepare, change: { faultsMs: 3000 } }),
    /^seed 1 at [78]\.0000 s: 18: played a second time, it went another way/,
  )
  t.equal(played, 2)
})

t.test('the worlds are wild: work, messages, faults and leader changes are not missing', async (t) => {
  const sum = (of: (result: RunResult) => number) => runs.reduce((total, result) => total + of(result), 0)
  const seconds = sum(({ simulatedMs }) => simulatedMs) / 1000
  const rates = {
    operations: sum(({ operations }) => operations) / seconds,
    messages: sum(({ frames }) => frames) / seconds,
    grants: sum(({ grants }) => grants) / seconds,
    faults: sum(({ faults }) => faults) / runs.length,
    leaderChanges: sum(({ leaderChanges }) => leaderChanges - 1) / runs.length,
  }
  t.comment(`${seconds.toFixed(0)} s simulated, per second or world: ${JSON.stringify(rates)}`)
  t.ok(rates.operations >= 10, 'at least 10 operations per simulated second')
  t.ok(rates.messages >= 50, 'at least 50 messages per simulated second')
  t.ok(rates.grants >= 0.3, 'some of them grants')
  t.ok(rates.faults >= 8, 'faults in every world')
  t.ok(rates.leaderChanges >= 2, 'the leader changes in a world')
  t.same(
    Object.keys(wanted).filter((what) => !heard.has(what)),
    [],
    'everything that should happen somewhere did',
  )
})

t.test('the worlds are wild: checkpoints, snapshots and disks that lie are not missing either', async (t) => {
  for (const kind of happeningKinds) {
    const times = runs.reduce((total, { happenings }) => total + happenings[kind], 0)
    t.ok(times > 0, `${times} ${kind}`)
  }
})

t.test('what seeds draw covers every fault and every kind of world', async (t) => {
  const scenarios = Array.from({ length: 1000 }, (_, seed) => drawScenario(createRandom(seed).fork('scenario')))
  const share = (is: (scenario: Scenario) => boolean) => scenarios.filter(is).length / scenarios.length
  for (const kind of faultKinds) t.ok(share(({ faults }) => faults.includes(kind)) > 0.02, kind)
  t.ok(share(({ faults }) => faults.length <= 2) > 0.2, 'few kinds of faults, often')
  t.ok(share(({ foundingWipes }) => foundingWipes > 0) > 0.01, 'empty disks at the founding')
  t.ok(share(({ foundingCrashes }) => foundingCrashes > 0) > 0.05, 'crashes at the founding')
  t.ok(share(({ members }) => members === 5) > 0.2, 'five members')
  t.ok(share(({ keeping }) => keeping.entries <= 8 && keeping.tailBytes === 0) > 0.1, 'snapshots for who was away')
  t.ok(share(({ clocks }) => clocks === 'wild') > 0.1, 'wild clocks')
  t.ok(share(({ network }) => network.loss > 0) > 0.05, 'lost frames')
  t.ok(share(({ network }) => network.backoff) > 0.3, 'links that stay silent for a while after a cut')
  t.ok(share(({ stallChance }) => stallChance > 0) > 0.1, 'stalls')
  t.ok(share(({ faultsMs }) => faultsMs > 90_000) > 0.02, 'long enough for memory to be forgotten')
})
