// Logs on LevelDB that were damaged by hand. Whatever was done to the files of a log that was closed, opening it gives that
// log or a refusal: never another log, and never an empty one.
import { readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { unreachable } from '../../src/assert.ts'
import { openLevelLogStore } from '../../src/storage/level-log-store.ts'
import { copyOf, fillLog, flip, overwrite } from './damaging.ts'
import { Probe, type ProbeResult } from './probing.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** The least that LevelDB accepts: a hundred entries then fill a few tables. */
const writeBufferBytes = 64 * 1024
const lastIndex = 100

interface Closed {
  readonly folder: string
  readonly digest: string
}

/** A log in tables and in LevelDB's own log, closed. */
async function closedLog(t: Test, probe: Probe): Promise<Closed> {
  const folder = join(temporaryFolder(t), 'log')
  const store = await openLevelLogStore(folder, { writeBufferBytes })
  await fillLog(store, { from: 1, to: lastIndex - 20 })
  await store.close()
  const reopened = await openLevelLogStore(folder, { writeBufferBytes })
  await fillLog(reopened, { from: lastIndex - 19, to: lastIndex })
  await reopened.close()
  const copy = copyOf(folder, 'reference')
  const reference = await probe.ask({ folder: copy, kind: 'open' })
  t.match(reference, { kind: 'opened', lastIndex }, 'the log is sound before it is damaged')
  return { folder, digest: reference.kind === 'opened' ? reference.digest : '' }
}

/** LevelDB has assertions of its own: a process that they end has neither voted nor served. */
function isHarmless(result: ProbeResult, closed: Closed): boolean {
  switch (result.kind) {
    case 'opened':
      return result.digest === closed.digest
    case 'refused':
      return result.name === 'DamagedError'
    case 'aborted':
      return result.signal === 'SIGABRT' || result.signal === 'SIGSEGV' || result.signal === 'SIGBUS'
    case 'filled':
      return false
    default:
      return unreachable(result)
  }
}

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
  t.test(`${what} any file of a closed log: that log is opened, or the damage is found`, async (t) => {
    const probe = new Probe(t)
    const closed = await closedLog(t, probe)
    let refused = 0
    for (const [way, damage] of waysOf(closed.folder)) {
      const copy = copyOf(closed.folder, 'damaged')
      damage(copy)
      const result = await probe.ask({ folder: copy, kind: 'open' })
      if (!isHarmless(result, closed)) t.fail(`${way}: ${JSON.stringify(result)}`)
      if (result.kind === 'refused') refused++
    }
    t.ok(refused > 10, `${refused} damages were found`)
  })
}
