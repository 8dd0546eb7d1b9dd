import t from 'tap'
import fc from 'fast-check'
import { highestMark, replace, see } from '../../src/guard/fence-folder.ts'
import type { Outcome } from '../../src/guard/fence-folder.ts'
import { ModelDisk, fencePath, guardedPath } from './model-folder.ts'
import type { Draws } from './model-folder.ts'

interface Task {
  readonly kind: 'replace' | 'see'
  readonly token: number
}

const tasks = fc.array(
  fc.record<Task>({ kind: fc.constantFrom('replace', 'replace', 'see'), token: fc.integer({ min: 1, max: 4 }) }),
  { minLength: 2, maxLength: 5 },
)
const draws = fc.array(fc.nat(239), { minLength: 30, maxLength: 160 })

interface Ended {
  readonly task: Task
  readonly outcome: Outcome
  /** How many writes had landed when it ended. */
  readonly landed: number
}

/** All of them at once, each as a process of its own. */
function start(disk: ModelDisk, all: readonly Task[]): Ended[] {
  const ended: Ended[] = []
  all.forEach((task, n) => {
    const whole = { folder: disk.folder(`p${n}`), fence: fencePath, token: task.token, content: `${task.token}` }
    const work = task.kind === 'see' ? see(whole) : replace({ ...whole, mode: null }, guardedPath)
    void work.then((outcome) => ended.push({ task, outcome, landed: disk.landed.length }))
  })
  return ended
}

function drawing(numbers: readonly number[]): Draws {
  let next = 0
  return () => numbers[next++] ?? 0
}

const go = (): 'go' => 'go'

/** One at a time, nobody else around. */
async function alone(disk: ModelDisk, task: Task): Promise<Outcome['kind']> {
  const ended = start(disk, [task])
  await disk.run(go)
  return ended[0]?.outcome.kind ?? 'stale'
}

t.test('however the steps of several processes interleave, no lower token writes after a higher one', async (t) => {
  await fc.assert(
    fc.asyncProperty(tasks, draws, async (all, numbers) => {
      const disk = new ModelDisk(drawing(numbers))
      const ended = start(disk, all)
      await disk.run(go)

      const landed = disk.landed.map(Number)
      if (landed.some((token, n) => token < (landed[n - 1] ?? 0))) return false
      // Who was told that its token was seen has nothing to fear of lower ones from then on.
      const overtaken = ended.filter(
        ({ task, outcome, landed: before }) =>
          outcome.kind === 'acted' && landed.slice(before).some((token) => token < task.token),
      )
      // And nobody is refused but for a higher token: the highest always acts.
      const highest = Math.max(...all.map(({ token }) => token))
      const refused = ended.filter(({ task, outcome }) => task.token === highest && outcome.kind === 'stale')
      return ended.length === all.length && overtaken.length === 0 && refused.length === 0
    }),
    { numRuns: 1500 },
  )
  t.pass()
})

t.test('processes that die between any two steps leave nothing that holds up or misleads the others', async (t) => {
  await fc.assert(
    fc.asyncProperty(tasks, draws, async (all, numbers) => {
      const draw = drawing(numbers)
      const disk = new ModelDisk(draw)
      const ended = start(disk, all)
      await disk.run(() => (draw() % 12 === 11 ? 'die' : 'go'))

      const landed = disk.landed.map(Number)
      if (landed.some((token, n) => token < (landed[n - 1] ?? 0))) return false
      const acted = ended.filter(({ outcome }) => outcome.kind === 'acted').map(({ task }) => task.token)
      const lowest = await alone(disk, { kind: 'replace', token: 1 })
      if (Math.max(0, ...acted, ...landed) > 1 && lowest === 'acted') return false
      const next = await alone(disk, { kind: 'replace', token: 5 })
      // What the dead have left goes with the next higher token.
      return next === 'acted' && disk.names(fencePath).length === 1 && disk.content(guardedPath) === '5'
    }),
    { numRuns: 800 },
  )
  t.pass()
})

t.test(
  'a power cut at any moment forgets no token that was acknowledged, or whose content is in the file',
  async (t) => {
    await fc.assert(
      fc.asyncProperty(tasks, draws, fc.nat(60), async (all, numbers, steps) => {
        let left = steps
        const disk = new ModelDisk(drawing(numbers))
        const ended = start(disk, all)
        await disk.run(() => (left-- === 0 ? 'stop' : 'go'))
        const acted = ended.filter(({ outcome }) => outcome.kind === 'acted').map(({ task }) => task)
        disk.cutPower()

        const written = acted.filter(({ kind }) => kind === 'replace').map(({ token }) => token)
        const content = Number(disk.content(guardedPath) ?? 0)
        if (content < Math.max(0, ...written)) return false
        const remembered = highestMark(disk.names(fencePath)) ?? 0
        if (remembered < Math.max(content, ...acted.map(({ token }) => token))) return false
        const lower = remembered > 1 ? await alone(disk, { kind: 'replace', token: remembered - 1 }) : 'stale'
        return lower === 'stale' && (await alone(disk, { kind: 'replace', token: Math.max(1, remembered) })) === 'acted'
      }),
      { numRuns: 1200 },
    )
    t.pass()
  },
)

t.test('a mark that goes while a former holder looks for it is not missed: its attempt has gone before', async (t) => {
  // What comes or goes while the folder is read is not shown.
  const disk = new ModelDisk(() => 1)
  const ended = start(disk, [
    { kind: 'replace', token: 1 },
    { kind: 'replace', token: 2 },
    { kind: 'replace', token: 3 },
  ])
  const [looking, beginningToLook] = [2, 1]
  const [attempting, marking, syncing] = [1, 1, 1]
  await disk.take('p0', looking)
  await disk.take('p1')
  t.same(disk.landed, ['2'])
  await disk.take('p0', attempting + marking + syncing + beginningToLook)
  await disk.take('p2', looking + attempting + marking + syncing + looking)
  const clearing = 2
  await disk.take('p2', clearing)
  await disk.take('p0')
  await disk.take('p2')
  t.same(disk.landed, ['2', '3'])
  t.same(
    ended.map(({ outcome }) => outcome.kind),
    ['acted', 'stale', 'acted'],
  )
})

t.test('a stale token is refused without leaving a trace', async (t) => {
  const disk = new ModelDisk(() => 0)
  t.equal(await alone(disk, { kind: 'replace', token: 34 }), 'acted')
  const before = disk.names(fencePath)
  t.equal(await alone(disk, { kind: 'replace', token: 33 }), 'stale')
  t.same(disk.names(fencePath), before)
  t.equal(disk.content(guardedPath), '34')
})

t.test('what others put into the folder is left alone', async (t) => {
  const disk = new ModelDisk(() => 0)
  const folder = disk.folder('somebody')
  const foreign = ['README', 'token-', 'token-99', 'write-me', 'token-00000000000000990', 'token-0000000000000099-old']
  const putting = Promise.all(foreign.map((name) => folder.create(`${fencePath}/${name}`, '', null)))
  await disk.run(go)
  await putting
  t.equal(await alone(disk, { kind: 'replace', token: 34 }), 'acted')
  t.equal(await alone(disk, { kind: 'replace', token: 33 }), 'stale')
  t.same(
    foreign.filter((name) => !disk.names(fencePath).includes(name)),
    [],
  )
})
