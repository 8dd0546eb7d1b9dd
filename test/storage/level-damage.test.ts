// Logs and states on LevelDB that were damaged by hand. Whatever was done to the files of one that was closed, opening it
// gives what it held or a refusal: never something else, and never nothing. Every byte of small ones: `npm run fuzz:disk`.
import { readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type KnownDisk, largeLog, largeState, outcomeOf, smallLogs, smallStates } from './damaged-disks.ts'
import { copyOf, flip, overwrite } from './damaging.ts'
import { Probe } from './probing.ts'
import { temporaryFolder } from './temporary-folder.ts'

type Way = readonly [what: string, damage: (copy: string) => void]

/** Sampled bytes of each file, more of them at its two ends, where the lengths and the lists are. */
function* flips(folder: string): Generator<Way> {
  for (const name of readdirSync(folder).sort()) {
    const { size } = statSync(join(folder, name))
    const samples = Array.from({ length: 8 }, (_, step) => Math.floor((size * step) / 8))
    const ends = [1, 4, 5, 6, 8, 12].flatMap((offset) => [offset, size - offset])
    for (const offset of new Set([...samples, ...ends].filter((offset) => offset >= 0 && offset < size))) {
      yield [`bit ${offset % 8} of byte ${offset} of ${name}`, (copy) => flip(join(copy, name), offset, offset % 8)]
    }
  }
}

function* cuts(folder: string): Generator<Way> {
  for (const name of readdirSync(folder).sort()) {
    if (name.startsWith('LO')) continue
    const { size } = statSync(join(folder, name))
    for (const left of new Set([size - 1, size - 40, size >> 1, 1, 0].filter((left) => left >= 0 && left < size))) {
      yield [`${name} cut to ${left} of ${size} bytes`, (copy) => truncateSync(join(copy, name), left)]
    }
  }
}

function* losses(folder: string): Generator<Way> {
  for (const name of readdirSync(folder).sort()) {
    if (name.startsWith('LO')) continue
    yield [`${name} deleted`, (copy) => rmSync(join(copy, name))]
    const { size } = statSync(join(folder, name))
    for (let page = 0; page < size; page += 16 * 4096) {
      yield [
        `page ${page / 4096} of ${name} zeroed`,
        (copy) => overwrite(join(copy, name), (bytes) => bytes.fill(0, page, Math.min(page + 4096, size))),
      ]
    }
  }
  yield ['everything deleted', (copy) => readdirSync(copy).forEach((name) => rmSync(join(copy, name)))]
}

for (const [what, waysOf] of [
  ['B119 one bit flipped in', flips],
  ['a cut at the end of', cuts],
  ['a lost or zeroed part of', losses],
] as const) {
  for (const build of [largeLog, largeState]) {
    const holds = build === largeLog ? 'log' : 'state'
    t.test(`${what} any file of a closed ${holds}: that ${holds} is opened, or the damage is found`, async (t) => {
      const probe = new Probe(t)
      const disk = await build(temporaryFolder(t), probe)
      let refused = 0
      for (const [way, damage] of waysOf(disk.folder)) {
        const copy = copyOf(disk.folder, 'damaged')
        damage(copy)
        const result = await probe.ask({ folder: copy, holds, kind: 'open' })
        const outcome = outcomeOf(result, disk)
        if (outcome === null) t.fail(`${way}: ${JSON.stringify(result)}`)
        if (outcome === 'refused') refused++
      }
      t.ok(refused > 10, `${refused} damages were found`)
    })
  }
}

t.test('a bit flipped in a small log or state, closed or crashed: a sample of what fuzz:disk tries', async (t) => {
  const probe = new Probe(t)
  const folder = temporaryFolder(t)
  const disks: KnownDisk[] = [...(await smallLogs(folder, probe)), ...(await smallStates(folder, probe))]
  for (const disk of disks) {
    const outcomes: unknown[] = []
    for (const [way, damage] of [...flips(disk.folder)].filter((_, at) => at % 3 === 0)) {
      const copy = copyOf(disk.folder, 'damaged')
      damage(copy)
      const result = await probe.ask({ folder: copy, holds: disk.holds, kind: 'open' })
      const outcome = outcomeOf(result, disk)
      if (outcome === null) t.fail(`${disk.what}, ${way}: ${JSON.stringify(result)}`)
      outcomes.push(outcome)
    }
    t.ok(outcomes.includes('refused'), disk.what)
  }
})
