// `npm run fuzz:disk`: one flipped bit at every byte of every file of small logs and states, each opened in a process of its
// own, since damage in a table can abort it. Prints how each disk fared; exits with 1, and says which damages did it, when
// one led to an answer that is neither what was there nor a refusal. `--every N` tries each Nth byte only.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type KnownDisk, outcomeOf, smallLogs, smallStates } from './damaged-disks.ts'
import { copyOf, flip } from './damaging.ts'
import { Probe } from './probing.ts'

interface Damage {
  readonly name: string
  readonly offset: number
  readonly bit: number
}

/** A bit of each byte, another one each time, of all files but LevelDB's lock, which is empty. */
function damagesOf(folder: string, every: number): Damage[] {
  return readdirSync(folder)
    .filter((name) => name !== 'LOCK')
    .sort()
    .flatMap((name) => {
      const { length } = readFileSync(join(folder, name))
      const offsets = Array.from({ length }, (_, offset) => offset).filter((offset) => offset % every === 0)
      return offsets.map((offset) => ({ name, offset, bit: (offset * 5) % 8 }))
    })
}

/** Returns how many damages had an outcome that they must not have. */
async function fuzz(disk: KnownDisk, probe: Probe, every: number): Promise<number> {
  const counts = new Map<string, number>()
  let wrong = 0
  const damages = damagesOf(disk.folder, every)
  for (const { name, offset, bit } of damages) {
    const copy = copyOf(disk.folder, 'damaged')
    flip(join(copy, name), offset, bit)
    const result = await probe.ask({ folder: copy, holds: disk.holds, kind: 'open' })
    const outcome = outcomeOf(result, disk)
    counts.set(outcome ?? 'wrong', (counts.get(outcome ?? 'wrong') ?? 0) + 1)
    if (outcome !== null) continue
    wrong++
    console.log(`${disk.what}, bit ${bit} of byte ${offset} of ${name}: ${JSON.stringify(result)}`)
  }
  const summary = [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(', ')
  console.log(`${disk.what}: ${damages.length} flipped bits: ${summary}`)
  return wrong
}

async function main(): Promise<void> {
  const at = process.argv.indexOf('--every')
  const every = at === -1 ? 1 : Number(process.argv[at + 1])
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-fuzz-'))
  const cleanups: (() => unknown)[] = []
  const probe = new Probe({ teardown: (cleanup) => void cleanups.push(cleanup) })
  let wrong = 0
  try {
    const disks = [...(await smallLogs(folder, probe)), ...(await smallStates(folder, probe))]
    for (const disk of disks) wrong += await fuzz(disk, probe, every)
  } finally {
    for (const cleanup of cleanups) await cleanup()
    rmSync(folder, { recursive: true, force: true })
  }
  process.exit(wrong === 0 ? 0 : 1)
}

await main()
