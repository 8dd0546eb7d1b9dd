// Every point at which a short history can be cut off, with every outcome that a crash can have there: on the memory disk,
// and on LevelDB with its files as a crash leaves them.
import { statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openLevelLogStore } from '../../src/storage/level-log-store.ts'
import { openLevelStateStore } from '../../src/storage/level-state-store.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { copyOf, newest } from './damaging.ts'
import { type CutOff, history, imageOf, type Images, newLife, type OpenDisk, startAgain } from './short-history.ts'
import { someRules } from './state-builders.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** A memory disk that does what it is told, except that no write ends while it is held. */
class HeldDisk {
  /** What is drawn at a crash, for the log and then for the state, if something was in flight to them. */
  chances: number[] = []
  #isHeld = false
  #writesIssued = 0
  #whenIssued: (() => void) | null = null
  readonly #disk = new MemoryDisk({
    schedule: (delayMs, run) => {
      if (delayMs === 0 || !this.#isHeld) setImmediate(run)
      else {
        this.#writesIssued++
        this.#whenIssued?.()
      }
    },
    random: () => this.chances.shift() ?? 0,
    writeMs: [1, 1],
    rules: someRules,
  })

  readonly open = (): Promise<OpenDisk> => Promise.resolve({ log: this.#disk.openLog(), state: this.#disk.openState() })

  /** Begins something whose writes never end; resolves when so many have begun, or when there is nothing to write. */
  async hold(writes: number, begin: () => Promise<unknown>): Promise<void> {
    this.#isHeld = true
    this.#writesIssued = 0
    const issued = new Promise<void>((resolve) => {
      this.#whenIssued = () => {
        if (this.#writesIssued === writes) resolve()
      }
    })
    await Promise.race([issued, begin()])
    this.#isHeld = false
  }

  crash(chances: readonly number[]): Promise<OpenDisk> {
    this.chances = [...chances]
    this.#disk.crash()
    this.chances = []
    return this.open()
  }
}

async function runSteps(disk: OpenDisk, steps: typeof history): Promise<ReturnType<typeof newLife>> {
  const life = newLife()
  for (const step of steps) await step.run(disk, life)
  return life
}

async function undisturbed(): Promise<Images> {
  const images = []
  for (let steps = 0; steps <= history.length; steps++) {
    const held = new HeldDisk()
    const disk = await held.open()
    await runSteps(disk, history.slice(0, steps))
    images.push(await imageOf(await held.crash([])))
  }
  return images
}

/** Every step in flight by itself, and with the one that is begun beside it. */
function cutOffs(): CutOff[] {
  return history.flatMap((_, begun) => {
    const alone = { begun, to: begun + 1 }
    return history[begun + 1]?.isTogether ? [alone, { begun, to: begun + 2 }] : [alone]
  })
}

const outcomes = [
  [0, 0],
  [0, 0.99],
  [0.99, 0],
  [0.99, 0.99],
]

/** A disk after a crash in the middle of those steps, started again. */
async function crashed(cut: CutOff, chances: readonly number[]): Promise<{ held: HeldDisk; disk: OpenDisk }> {
  const held = new HeldDisk()
  const disk = await held.open()
  const life = await runSteps(disk, history.slice(0, cut.begun))
  const inFlight = history.slice(cut.begun, cut.to)
  await held.hold(inFlight.length, () => Promise.all(inFlight.map((step) => step.run(disk, life))))
  return { held, disk: await held.crash(chances) }
}

t.test('H30 the memory disk: wherever a life is cut off, it goes on from what was confirmed', async (t) => {
  const images = await undisturbed()
  for (const cut of cutOffs()) {
    const names = history.slice(cut.begun, cut.to).map(({ name }) => name)
    for (const chances of outcomes) {
      const { held, disk } = await crashed(cut, chances)
      const again = await startAgain(disk, held.open, images, cut)
      await runSteps(again.disk, again.left)
      t.same(await imageOf(await held.crash([])), images.at(-1), `${names.join(' and ')}, ${chances.join(' ')}`)
    }
  }
})

t.test('the memory disk: a start that is cut off itself is made up for by the next', async (t) => {
  const images = await undisturbed()
  let recovered = 0
  for (const cut of cutOffs()) {
    for (const chance of [0, 0.99]) {
      for (const chanceAgain of [0, 0.99]) {
        const { held, disk } = await crashed(cut, [chance, chance])
        let hasEnded = false
        await held.hold(1, () => startAgain(disk, held.open, images, cut).then(() => (hasEnded = true)))
        if (hasEnded) continue
        recovered++
        const again = await startAgain(await held.crash([chanceAgain]), held.open, images, cut)
        await runSteps(again.disk, again.left)
        t.same(await imageOf(await held.crash([])), images.at(-1))
      }
    }
  }
  t.ok(recovered >= 16, `${recovered} starts had an install to bring to its end`)
})

async function openLevel(folder: string): Promise<OpenDisk> {
  return {
    log: await openLevelLogStore(join(folder, 'log')),
    state: await openLevelStateStore(join(folder, 'state'), { rules: someRules }),
  }
}

async function closeLevel({ log, state }: OpenDisk): Promise<void> {
  await Promise.all([log.close(), state.close()])
}

t.test(
  'H30 LevelDB: wherever a life is cut off, also within a record, it goes on from what was confirmed',
  async (t) => {
    const images = await undisturbed()
    const folder = join(temporaryFolder(t), 'n1')
    const disk = await openLevel(folder)
    const life = newLife()
    for (const [at, step] of history.entries()) {
      const file = newest(join(folder, step.lane), '.log')
      const before = statSync(file).size
      await step.run(disk, life)
      t.equal(newest(join(folder, step.lane), '.log'), file, 'a short life has one log file')
      const after = statSync(file).size
      for (const size of [before, (before + after) >> 1, after]) {
        const copy = copyOf(folder, 'crashed')
        truncateSync(newest(join(copy, step.lane), '.log'), size)
        const again = await startAgain(await openLevel(copy), () => openLevel(copy), images, { begun: at, to: at + 1 })
        if (size !== before) {
          await closeLevel(again.disk)
          continue
        }
        await runSteps(again.disk, again.left)
        await closeLevel(again.disk)
        const ended = await openLevel(copy)
        t.same(await imageOf(ended), images.at(-1), step.name)
        await closeLevel(ended)
      }
    }
    await closeLevel(disk)
  },
)
