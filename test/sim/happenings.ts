// How often the rare things happened in a world: a world in which nobody needs a snapshot proves nothing about snapshots.
// What nodes say of themselves is counted by its words, what reaches disks at the disks.
import type { Report } from '../../src/node/host.ts'
import type { LogBatch } from '../../src/storage/log-store.ts'

export const happeningKinds = [
  'checkpoints',
  'restarts from a checkpoint',
  'trims',
  'snapshots begun',
  'snapshots installed',
  'snapshots cut off',
  'snapshots over commands without a fate',
  'installs finished at a start',
  'states given up',
  'members replaced',
  'disks named again',
  'disks found damaged',
  'tails found missing',
  'writes failed',
] as const

export type Happening = (typeof happeningKinds)[number]
export type Happenings = Readonly<Record<Happening, number>>

/** What nodes report, by the words it begins with or has in it. */
const said: readonly (readonly [RegExp, Happening])[] = [
  [/^sending a snapshot/, 'snapshots begun'],
  [/^a snapshot from \S+ was given up/, 'snapshots cut off'],
  [/^finished the install/, 'installs finished at a start'],
  [/^the state is given up/, 'states given up'],
]

export class HappeningCount {
  readonly #counts: Record<Happening, number> = noHappenings()

  get counts(): Happenings {
    return this.#counts
  }

  count(what: Happening): void {
    this.#counts[what]++
  }

  /** A node reports something, while so many of its commands have no fate. */
  reported({ message, details }: Report, unanswered: number): void {
    for (const [pattern, what] of said) if (pattern.test(message)) this.count(what)
    const begins = message.startsWith('member of cluster') ? (details?.['applied'] ?? 0) : 0
    if (begins !== 0) this.count('restarts from a checkpoint')
    if (message.startsWith('a snapshot took') && unanswered > 0) this.count('snapshots over commands without a fate')
  }

  /** A write to a log begins. */
  written({ trimTo, installed }: LogBatch): void {
    if (trimTo !== null) this.count('trims')
    if (installed !== null) this.count('snapshots installed')
  }
}

export function noHappenings(): Record<Happening, number> {
  return Object.fromEntries(happeningKinds.map((kind) => [kind, 0])) as Record<Happening, number>
}

/** Those that happened, in a few words. */
export function tell(happenings: Happenings): string {
  const told = happeningKinds.filter((kind) => happenings[kind] > 0).map((kind) => `${happenings[kind]} ${kind}`)
  return told.join(', ') || 'no checkpoints'
}
