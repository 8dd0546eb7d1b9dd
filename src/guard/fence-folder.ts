// The rules by which processes that share nothing but a folder agree on the highest token, without a lock that a crash could
// leave behind, and so that a process that was paused anywhere cannot act after a higher token was seen.
//
// A *mark* `token-34` says that 34 was seen. An *attempt* `write-34-..` is what a process needs to act: acting is renaming
// or removing its attempt, which can be done once, and only while it is there. A process
//
//   1. creates its attempt,
//   2. creates the mark of its token, and makes it durable,
//   3. lists the folder: with a higher mark it is stale; else it removes all attempts of lower tokens, then lower marks,
//   4. acts, if its attempt is still there; if not, a higher token has removed it, and it is stale.
//
// Suppose that a lower token acts after a higher one has passed step 3. Its attempt was there at that moment, and then it
// would have been removed, or it came later: but then its own list began after the higher mark was made, and shows it. A
// list may miss a mark that is removed while it is read, but whoever removes a mark has made a higher one and has removed
// the attempts it saw before; and it saw this one, or had made its mark before the list began. Marks of higher and higher
// tokens may come and go in this way, but not the highest of them.
import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { Folder } from './folder.ts'

export interface Attempt {
  readonly folder: Folder
  /** Where marks and attempts are; it exists, and its own name is durable once there is a mark in it. */
  readonly fence: string
  readonly token: number
  readonly content: string | Uint8Array
  /** Permissions of the file; null for the usual ones. */
  readonly mode: number | null
}

export type Outcome =
  | { readonly kind: 'acted' }
  /** `highest` is null when it was raised in the same moment. */
  | { readonly kind: 'stale'; readonly highest: number | null }

/** `act` consumes the attempt and says whether it was there. */
async function attempt(
  { folder, fence, token, content, mode }: Attempt,
  act: (attemptPath: string) => Promise<boolean>,
): Promise<Outcome> {
  // Whoever is stale from the beginning shall leave no trace.
  const before = highestMark(await folder.list(fence))
  if (before !== null && before > token) return { kind: 'stale', highest: before }
  const own = join(fence, `write-${digits(token)}-${randomBytes(8).toString('hex')}`)
  let isConsumed = false
  try {
    await folder.create(own, content, mode)
    await folder.touch(join(fence, `token-${digits(token)}`))
    await folder.sync(fence)
    const names = await folder.list(fence)
    const highest = highestMark(names)
    if (highest !== null && highest > token) return { kind: 'stale', highest }
    await removeLower({ folder, fence, token }, names)
    isConsumed = await act(own)
  } finally {
    if (!isConsumed) await folder.remove(own)
  }
  return isConsumed ? { kind: 'acted' } : { kind: 'stale', highest: highestMark(await folder.list(fence)) }
}

/** Acts by putting the content at `path`, durably. */
export async function replace(whole: Attempt, path: string): Promise<Outcome> {
  const outcome = await attempt(whole, (own) => whole.folder.rename({ from: own, to: path }))
  if (outcome.kind === 'acted') await whole.folder.sync(dirname(path))
  return outcome
}

/** Acts by doing nothing but to have been seen: the attempt is removed, if it is still there. */
export function see({ folder, fence, token }: Pick<Attempt, 'folder' | 'fence' | 'token'>): Promise<Outcome> {
  return attempt({ folder, fence, token, content: '', mode: null }, (own) => folder.remove(own))
}

/** The highest token of which there is a mark. */
export function highestMark(names: readonly string[]): number | null {
  const tokens = names.map(nameOf).flatMap((name) => (name?.kind === 'token' ? [name.token] : []))
  return tokens.length === 0 ? null : Math.max(...tokens)
}

/** Attempts first: as long as the attempts are there, whoever made them must be able to see the marks. */
async function removeLower(
  { folder, fence, token }: Pick<Attempt, 'folder' | 'fence' | 'token'>,
  names: readonly string[],
): Promise<void> {
  for (const kind of ['write', 'token']) {
    for (const name of names) {
      const parsed = nameOf(name)
      if (parsed?.kind === kind && parsed.token < token) await folder.remove(join(fence, name))
    }
  }
}

function digits(token: number): string {
  return String(token).padStart(16, '0')
}

/** Null for what is none of ours. */
function nameOf(name: string): { readonly kind: string; readonly token: number } | null {
  const [, kind, token] = /^(token(?=-[0-9]+$)|write)-([0-9]{16})(?:-|$)/.exec(name) ?? []
  return kind === undefined ? null : { kind, token: Number(token) }
}
